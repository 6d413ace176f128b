"""Public names, which ``__init__.py`` loads lazily on first access."""

from .labels.confusion import (
    class_scores as class_scores,
    confusion_matrix as confusion_matrix,
    mean_iou as mean_iou,
)
from .labels.outlines import (
    label_regions as label_regions,
    region_outlines as region_outlines,
    without_specks as without_specks,
)
from .labels.rasterize import (
    box_mask as box_mask,
    disc_mask as disc_mask,
    polygon_mask as polygon_mask,
    stroke_mask as stroke_mask,
)
from .labels.values import (
    VOID as VOID,
    canonical_labels as canonical_labels,
    padding_value as padding_value,
    tags_of as tags_of,
)
from .losses.box_tightness import (
    box_tightness_loss as box_tightness_loss,
)
from .losses.contrastive import (
    get_loss_backend as get_loss_backend,
    pixel_to_segment_loss as pixel_to_segment_loss,
    pixel_to_segment_nll as pixel_to_segment_nll,
    set_loss_backend as set_loss_backend,
)
from .losses.pairwise import (
    dense_crf_energy as dense_crf_energy,
    dense_crf_loss as dense_crf_loss,
    gated_crf_energy as gated_crf_energy,
    gated_crf_loss as gated_crf_loss,
)
from .losses.relations import (
    Comparison as Comparison,
    affinity_comparison as affinity_comparison,
    annotation_comparison as annotation_comparison,
    cooccurrence_comparison as cooccurrence_comparison,
    relation_loss as relation_loss,
    similarity_loss as similarity_loss,
)
from .losses.sparse_cross_entropy import (
    sparse_cross_entropy as sparse_cross_entropy,
)
from .losses.spml import (
    feature_affinity_loss as feature_affinity_loss,
    image_similarity_loss as image_similarity_loss,
    semantic_annotation_loss as semantic_annotation_loss,
    semantic_cooccurrence_loss as semantic_cooccurrence_loss,
    shown_classes as shown_classes,
)
from .losses.tree import (
    tree_energy_loss as tree_energy_loss,
    tree_filter as tree_filter,
)
from .refinement.dense_crf import (
    dense_crf as dense_crf,
    dense_crf_of_images as dense_crf_of_images,
)
from .refinement.label_propagation import (
    propagate_to_targets as propagate_to_targets,
)
from .refinement.pseudo_labels import (
    nearest_label_scores as nearest_label_scores,
    pseudo_label_map as pseudo_label_map,
)
from .refinement.random_walk import (
    class_normalized as class_normalized,
    propagate as propagate,
)
from .refinement.unmarked_components import (
    unmarked_components as unmarked_components,
)
from .regions.contours import (
    gradient_contours as gradient_contours,
    gradient_ucm_regions as gradient_ucm_regions,
    localized_contours as localized_contours,
    ucm_regions as ucm_regions,
)
from .regions.hed import (
    HED as HED,
    hed_contour_maps as hed_contour_maps,
    hed_contours as hed_contours,
    load_hed as load_hed,
)
from .regions.merging import (
    merge_regions as merge_regions,
)
from .regions.methods import (
    REGION_METHODS as REGION_METHODS,
)
from .regions.metrics import (
    achievable_accuracy as achievable_accuracy,
    boundary_counts as boundary_counts,
    undersegmentation_error as undersegmentation_error,
)
from .regions.oversegmentation import (
    expand_labels_to_regions as expand_labels_to_regions,
    felzenszwalb_regions as felzenszwalb_regions,
    regions_of_masks as regions_of_masks,
    slic_regions as slic_regions,
)
from .regions.resizing import (
    enlarge_regions as enlarge_regions,
    shrink_image as shrink_image,
    snap_regions as snap_regions,
)
from .schedule import (
    warmup_poly_lr as warmup_poly_lr,
)
from .seeds.cam import (
    class_activations as class_activations,
    normalized_maps as normalized_maps,
    region_mean_map as region_mean_map,
    scores_of_cams as scores_of_cams,
    seeds_of_boxes as seeds_of_boxes,
    seeds_of_tags as seeds_of_tags,
    top_mean as top_mean,
)
from .seeds.cam_files import (
    find_cam as find_cam,
    load_cam as load_cam,
    save_cam as save_cam,
)
from .seeds.grabcut import (
    grabcut_seeds as grabcut_seeds,
)
from .segments.affinity import (
    affinity_label_sets as affinity_label_sets,
    nearest_label_sets as nearest_label_sets,
)
from .segments.kmeans import (
    grid_labels as grid_labels,
    location_color_features as location_color_features,
    location_features as location_features,
    spherical_kmeans as spherical_kmeans,
)
from .segments.pooling import (
    SegmentPooler as SegmentPooler,
    mean_direction as mean_direction,
    pool_segments as pool_segments,
    resize_labels as resize_labels,
)
from .segments.retrieval import (
    class_counts as class_counts,
    class_frequencies as class_frequencies,
    majority_vote as majority_vote,
    nearest_segments as nearest_segments,
)
from .segments.segments import (
    Segments as Segments,
)
from .selection import (
    novelty as novelty,
    select_images as select_images,
    select_segments as select_segments,
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
    'enlarge_regions',
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
    'hed_contour_maps',
    'hed_contours',
    'image_similarity_loss',
    'label_regions',
    'load_cam',
    'load_hed',
    'localized_contours',
    'location_color_features',
    'location_features',
    'majority_vote',
    'mean_direction',
    'mean_iou',
    'merge_regions',
    'nearest_label_scores',
    'nearest_label_sets',
    'nearest_segments',
    'normalized_maps',
    'novelty',
    'padding_value',
    'pixel_to_segment_loss',
    'pixel_to_segment_nll',
    'polygon_mask',
    'pool_segments',
    'propagate',
    'pseudo_label_map',
    'region_mean_map',
    'region_outlines',
    'regions_of_masks',
    'relation_loss',
    'resize_labels',
    'save_cam',
    'scores_of_cams',
    'seeds_of_boxes',
    'seeds_of_tags',
    'select_images',
    'select_segments',
    'semantic_annotation_loss',
    'semantic_cooccurrence_loss',
    'set_loss_backend',
    'shown_classes',
    'shrink_image',
    'similarity_loss',
    'slic_regions',
    'snap_regions',
    'spherical_kmeans',
    'stroke_mask',
    'tags_of',
    'top_mean',
    'tree_energy_loss',
    'tree_filter',
    'ucm_regions',
    'undersegmentation_error',
    'unmarked_components',
    'warmup_poly_lr',
    'without_specks',
]
