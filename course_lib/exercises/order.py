"""The exercises in the order of the notebooks: their numbers come from it, 4.1, 4.2 and so on.

With each stand the minutes that it takes, and how hard it is, from 1 to 3: the authors' estimates,
for a student who has read the section. They were not measured.
"""

# fmt: off
ORDER = {
    "0": {
        "centroid": (3, 1), "axis_that_points_up": (1, 1),
    },
    "1": {
        "encode_frame": (10, 2), "list_template": (4, 1), "text_template": (4, 1),
        "build_prompt": (3, 1), "choice_probability": (5, 2), "roc_auc": (8, 2),
        "measure_at_zero_shot": (2, 1), "balanced_sample": (6, 2), "LoRALinear": (10, 3),
        "lora_parameters": (3, 1),
    },
    "2": {
        "shared_mlp": (4, 1), "max_pool_points": (6, 2), "pooling_that_sees_the_order": (2, 1),
        "kmeans_step": (7, 2), "adjusted_rand_index": (10, 3), "decode_path": (4, 1),
        "flow_matching_loss": (6, 2), "coverage": (4, 1), "minimum_matching_distance": (3, 1),
        "forward_kinematics": (6, 2), "linear_blend_skinning": (8, 3),
    },
    "3": {
        "voxelize": (3, 1), "occupied_fraction": (1, 1), "conv3d_cost": (5, 2),
        "points_to_voxels": (6, 2), "inertia_tensor": (7, 2), "unproject_depth": (7, 2),
        "apply_transform": (3, 1), "points_on_triangles": (8, 2), "pca_normals": (10, 3),
        "face_areas": (3, 1), "face_normals": (3, 1), "euler_characteristic": (7, 2),
        "graph_convolution": (10, 3), "sphere": (2, 1), "box": (6, 2), "torus": (4, 2),
        "difference": (2, 1), "project_to_surface": (6, 2), "view_pool": (2, 1), "visual_hull": (10, 3),
        "plane_homography": (7, 2), "over_composite": (6, 2),
    },
    "4": {
        "iou": (4, 1), "soft_iou": (5, 2), "chamfer_distance": (6, 2), "printed_chamfer": (3, 2),
        "normal_loss": (6, 2), "edge_loss": (3, 1), "smooth_loss": (8, 3),
        "laplacian_coordinates": (8, 3), "laplacian_loss": (2, 1), "laplacian_minimum": (2, 2),
        "f_score": (5, 2), "hausdorff_distance": (3, 1), "outlier_metric": (2, 1),
    },
    "5": {
        "what_one_picture_cannot_tell": (1, 1), "occupancy_loss": (4, 1), "grow": (5, 2),
        "two_branches": (6, 2), "vertex_image_features": (10, 3), "modulate": (5, 2),
        "retrieve": (5, 2), "visible_points": (8, 3),
    },
    "6": {
        "project": (8, 2), "upside_down_and_backwards": (2, 2), "cameras_in_a_heap": (2, 2),
        "focal_of_the_smaller_image": (2, 1), "barycentric_coordinates": (8, 2),
        "perspective_correct": (5, 2), "nearest_face": (6, 2),
        "why_the_hard_picture_has_no_gradient": (1, 1), "soft_coverage": (5, 2),
        "union_coverage": (3, 1), "march_rays": (7, 2),
    },
    "7": {
        "why_density_ignores_the_view": (1, 1), "camera_rays": (8, 2), "positional_encoding": (7, 2),
        "query_field": (6, 2), "stratified_positions": (6, 2), "compositing_weights": (7, 3),
        "composite": (4, 2), "slab_opacity": (4, 2), "inverse_cdf": (12, 3), "psnr": (2, 1),
        "trilinear": (8, 2), "sh_color": (5, 2), "hash_index": (6, 2), "laplace_density": (5, 2),
        "quiz_occupied_share": (2, 1), "quiz_one_sided_chamfer": (3, 2),
        "quiz_gradient_of_an_sdf": (1, 1), "quiz_outlier": (2, 1), "quiz_serialised_row": (1, 1),
    },
    "8": {
        "covariance": (5, 2), "projection_jacobian": (8, 3), "project_covariance": (4, 2),
        "splat_alpha": (5, 2), "blend_splats": (6, 2), "splat_reach": (5, 2), "sums_before": (5, 2),
        "numbers_per_gaussian": (2, 1), "split_in_two": (4, 2), "why_thin_things_grow_when_far": (2, 2),
        "what_a_feed_forward_model_learns": (1, 1),
    },
}
# fmt: on
