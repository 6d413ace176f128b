# How tools/make_pseudo_labels.py labels the training images, as the paper does: the
# classifier's scores, two views, 64 steps of the random walk, dense CRF. Nothing of the
# weak labels but the classes constrains them: `evaluator.keep_marks=True` does more.
pseudo_labels = dict(
    model=dict(
        source='softmax',
        scales=(1.0,),
        flip=True,
        walk_options=dict(temperature=5, power=20, steps=64),
    ),
    evaluator=dict(
        crf=dict(
            iterations=10,
            gaussian_xy=1,
            gaussian_weight=3,
            bilateral_xy=67,
            bilateral_rgb=3,
            bilateral_weight=4,
        ),
    ),
)
