"""The exercises in the order of the notebooks: their numbers come from it, 4.1, 4.2 and so on."""

# fmt: off
ORDER = {
    "0": (
        "centroid", "axis_that_points_up",
    ),
    "1": (
        "encode_frame", "list_template", "text_template", "build_prompt", "choice_probability",
        "roc_auc", "measure_at_zero_shot", "balanced_sample", "LoRALinear", "lora_parameters",
    ),
    "2": (
        "shared_mlp", "max_pool_points", "pooling_that_sees_the_order", "kmeans_step",
        "adjusted_rand_index", "decode_path", "flow_matching_loss", "coverage",
        "minimum_matching_distance", "forward_kinematics", "linear_blend_skinning",
    ),
    "3": (
        "voxelize", "occupied_fraction", "conv3d_cost", "points_to_voxels", "inertia_tensor",
        "unproject_depth", "apply_transform", "points_on_triangles", "pca_normals", "face_areas",
        "face_normals", "euler_characteristic", "graph_convolution", "sphere", "box", "torus",
        "difference", "project_to_surface", "view_pool", "visual_hull", "plane_homography",
        "over_composite",
    ),
    "4": (
        "iou", "soft_iou", "chamfer_distance", "printed_chamfer", "normal_loss", "edge_loss",
        "smooth_loss", "laplacian_coordinates", "laplacian_loss", "laplacian_minimum", "f_score",
        "hausdorff_distance", "outlier_metric",
    ),
    "5": (
        "what_one_picture_cannot_tell", "occupancy_loss", "grow", "two_branches",
        "vertex_image_features", "modulate", "retrieve", "visible_points",
    ),
    "6": (
        "project", "upside_down_and_backwards", "cameras_in_a_heap", "focal_of_the_smaller_image",
        "barycentric_coordinates", "perspective_correct", "nearest_face",
        "why_the_hard_picture_has_no_gradient", "soft_coverage", "union_coverage", "march_rays",
    ),
    "7": (
        "why_density_ignores_the_view", "camera_rays", "positional_encoding", "query_field",
        "stratified_positions", "compositing_weights", "composite", "slab_opacity", "inverse_cdf",
        "psnr", "trilinear", "sh_color", "hash_index", "quiz_occupied_share",
        "quiz_one_sided_chamfer", "quiz_gradient_of_an_sdf", "quiz_outlier", "quiz_serialised_row",
    ),
    "8": (
        "covariance", "projection_jacobian", "project_covariance", "splat_alpha", "blend_splats",
        "splat_reach", "sums_before", "numbers_per_gaussian", "split_in_two",
        "why_thin_things_grow_when_far", "what_a_feed_forward_model_learns",
    ),
}
# fmt: on
