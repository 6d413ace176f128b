# The backbone of deeplabv2_r101_spml.py with pyramid pooling before the embedding, for
# testing at 640 x 640.
_base_ = ['./deeplabv2_r101_spml.py']
num_classes = 15
embedding_dim = 32
norm_cfg = dict(type='SyncBN')
model = dict(
    data_preprocessor=dict(test_cfg=dict(size=(640, 640))),
    neck=dict(
        projection=dict(
            _delete_=True,
            type='PSPEmbedding',
            in_channels=2048,
            channels=512,
            embedding_dim=embedding_dim,
            pool_scales=(1, 2, 3, 6),
            norm_cfg=norm_cfg,
        ),
        grid=(12, 12),
        num_classes=num_classes,
        # The authors' 5 x 5 kernel, whose weights grow with distance from the center.
        color_features='distance',
    ),
    decode_head=dict(
        embedding_dim=embedding_dim,
        num_classes=num_classes,
        memory=dict(type='SegmentMemory', steps=0),
        retrieval=dict(grid=(24, 24)),
    ),
    test_cfg=dict(crop_size=(640, 640), stride=(640, 640)),
)
