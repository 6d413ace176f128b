# SegFormer-B0 on VOC 2012 scribbles: only cross-entropy on the labeled pixels.
_base_ = '../auxiliary/segformer_head_b0_voc_scribbles.py'
model = dict(spml=None)
