"""Public names, which ``__init__.py`` loads lazily on first access."""

from .labels.confusion import (
    class_scores as class_scores,
)
from .labels.confusion import (
    confusion_matrix as confusion_matrix,
)
from .labels.confusion import (
    mean_iou as mean_iou,
)
from .labels.rasterize import (
    box_mask as box_mask,
)
from .labels.rasterize import (
    disc_mask as disc_mask,
)
from .labels.rasterize import (
    polygon_mask as polygon_mask,
)
from .labels.rasterize import (
    stroke_mask as stroke_mask,
)
from .labels.values import (
    VOID as VOID,
)
from .labels.values import (
    canonical_labels as canonical_labels,
)
from .labels.values import (
    padding_value as padding_value,
)
from .labels.values import (
    tags_of as tags_of,
)
from .losses.contrastive import (
    get_loss_backend as get_loss_backend,
)
from .losses.contrastive import (
    pixel_to_segment_loss as pixel_to_segment_loss,
)
from .losses.contrastive import (
    pixel_to_segment_nll as pixel_to_segment_nll,
)
from .losses.contrastive import (
    set_loss_backend as set_loss_backend,
)
from .losses.pairwise import (
    dense_crf_energy as dense_crf_energy,
)
from .losses.pairwise import (
    dense_crf_loss as dense_crf_loss,
)
from .losses.pairwise import (
    gated_crf_energy as gated_crf_energy,
)
from .losses.pairwise import (
    gated_crf_loss as gated_crf_loss,
)
from .losses.relations import (
    Comparison as Comparison,
)
from .losses.relations import (
    affinity_comparison as affinity_comparison,
)
from .losses.relations import (
    annotation_comparison as annotation_comparison,
)
from .losses.relations import (
    cooccurrence_comparison as cooccurrence_comparison,
)
from .losses.relations import (
    relation_loss as relation_loss,
)
from .losses.relations import (
    similarity_loss as similarity_loss,
)
from .losses.spml import (
    feature_affinity_loss as feature_affinity_loss,
)
from .losses.spml import (
    image_similarity_loss as image_similarity_loss,
)
from .losses.spml import (
    semantic_annotation_loss as semantic_annotation_loss,
)
from .losses.spml import (
    semantic_cooccurrence_loss as semantic_cooccurrence_loss,
)
from .losses.spml import (
    shown_classes as shown_classes,
)
from .losses.tree import (
    tree_energy_loss as tree_energy_loss,
)
from .losses.tree import (
    tree_filter as tree_filter,
)
from .refinement.dense_crf import (
    dense_crf as dense_crf,
)
from .refinement.dense_crf import (
    dense_crf_of_images as dense_crf_of_images,
)
from .refinement.pseudo_labels import (
    nearest_label_scores as nearest_label_scores,
)
from .refinement.pseudo_labels import (
    pseudo_label_map as pseudo_label_map,
)
from .refinement.random_walk import (
    class_normalized as class_normalized,
)
from .refinement.random_walk import (
    propagate as propagate,
)
from .regions.contours import (
    gradient_contours as gradient_contours,
)
from .regions.contours import (
    gradient_ucm_regions as gradient_ucm_regions,
)
from .regions.contours import (
    ucm_regions as ucm_regions,
)
from .regions.hed import (
    HED as HED,
)
from .regions.hed import (
    hed_contours as hed_contours,
)
from .regions.hed import (
    load_hed as load_hed,
)
from .regions.methods import (
    REGION_METHODS as REGION_METHODS,
)
from .regions.metrics import (
    achievable_accuracy as achievable_accuracy,
)
from .regions.metrics import (
    boundary_counts as boundary_counts,
)
from .regions.metrics import (
    undersegmentation_error as undersegmentation_error,
)
from .regions.oversegmentation import (
    expand_labels_to_regions as expand_labels_to_regions,
)
from .regions.oversegmentation import (
    felzenszwalb_regions as felzenszwalb_regions,
)
from .regions.oversegmentation import (
    regions_of_masks as regions_of_masks,
)
from .regions.oversegmentation import (
    slic_regions as slic_regions,
)
from .schedule import (
    warmup_poly_lr as warmup_poly_lr,
)
from .seeds.cam import (
    class_activations as class_activations,
)
from .seeds.cam import (
    normalized_maps as normalized_maps,
)
from .seeds.cam import (
    region_mean_map as region_mean_map,
)
from .seeds.cam import (
    scores_of_cams as scores_of_cams,
)
from .seeds.cam import (
    seeds_of_boxes as seeds_of_boxes,
)
from .seeds.cam import (
    seeds_of_tags as seeds_of_tags,
)
from .seeds.cam import (
    top_mean as top_mean,
)
from .seeds.cam_files import (
    find_cam as find_cam,
)
from .seeds.cam_files import (
    load_cam as load_cam,
)
from .seeds.cam_files import (
    save_cam as save_cam,
)
from .seeds.grabcut import (
    grabcut_seeds as grabcut_seeds,
)
from .segments.affinity import (
    affinity_label_sets as affinity_label_sets,
)
from .segments.affinity import (
    nearest_label_sets as nearest_label_sets,
)
from .segments.kmeans import (
    grid_labels as grid_labels,
)
from .segments.kmeans import (
    location_color_features as location_color_features,
)
from .segments.kmeans import (
    location_features as location_features,
)
from .segments.kmeans import (
    spherical_kmeans as spherical_kmeans,
)
from .segments.pooling import (
    SegmentPooler as SegmentPooler,
)
from .segments.pooling import (
    mean_direction as mean_direction,
)
from .segments.pooling import (
    pool_segments as pool_segments,
)
from .segments.pooling import (
    resize_labels as resize_labels,
)
from .segments.retrieval import (
    class_counts as class_counts,
)
from .segments.retrieval import (
    class_frequencies as class_frequencies,
)
from .segments.retrieval import (
    majority_vote as majority_vote,
)
from .segments.retrieval import (
    nearest_segments as nearest_segments,
)
from .segments.segments import (
    Segments as Segments,
)

__all__ = [
    'Comparison',
    'HED',
    'REGION_METHODS',
    'SegmentPooler',
    'Segments',
    'VOID',
    'achievable_accuracy',
    'affinity_comparison',
    'affinity_label_sets',
    'annotation_comparison',
    'boundary_counts',
    'box_mask',
    'canonical_labels',
    'class_activations',
    'class_counts',
    'class_frequencies',
    'class_normalized',
    'class_scores',
    'confusion_matrix',
    'cooccurrence_comparison',
    'dense_crf',
    'dense_crf_energy',
    'dense_crf_loss',
    'dense_crf_of_images',
    'disc_mask',
    'expand_labels_to_regions',
    'feature_affinity_loss',
    'felzenszwalb_regions',
    'find_cam',
    'gated_crf_energy',
    'gated_crf_loss',
    'get_loss_backend',
    'grabcut_seeds',
    'gradient_contours',
    'gradient_ucm_regions',
    'grid_labels',
    'hed_contours',
    'image_similarity_loss',
    'load_cam',
    'load_hed',
    'location_color_features',
    'location_features',
    'majority_vote',
    'mean_direction',
    'mean_iou',
    'nearest_label_scores',
    'nearest_label_sets',
    'nearest_segments',
    'normalized_maps',
    'padding_value',
    'pixel_to_segment_loss',
    'pixel_to_segment_nll',
    'polygon_mask',
    'pool_segments',
    'propagate',
    'pseudo_label_map',
    'region_mean_map',
    'regions_of_masks',
    'relation_loss',
    'resize_labels',
    'save_cam',
    'scores_of_cams',
    'seeds_of_boxes',
    'seeds_of_tags',
    'semantic_annotation_loss',
    'semantic_cooccurrence_loss',
    'set_loss_backend',
    'shown_classes',
    'similarity_loss',
    'slic_regions',
    'spherical_kmeans',
    'stroke_mask',
    'tags_of',
    'top_mean',
    'tree_energy_loss',
    'tree_filter',
    'ucm_regions',
    'undersegmentation_error',
    'warmup_poly_lr',
]
