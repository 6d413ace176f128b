# Options of mmseg-spml pseudo-labels, as in the paper: scores of the classifier, two
# views, 64 steps of the random walk, dense CRF. Only the tags constrain the pseudo
# labels; `evaluator.keep_weak_labels=True` also keeps the weak labels of pixels.
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
