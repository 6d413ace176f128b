# Seeds of the same boxes by GrabCut, without activation maps.
_base_ = './demo_boxes.py'
seeds = dict(_delete_=True, method='grabcut')
