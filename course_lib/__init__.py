"""Deep learning for 3D: the library behind the notebooks, on two shelves.

What the lessons use:

    ground          shapes         signed distance functions; families of objects
                    meshes         Mesh, its files, topology, operators, marching cubes
                    cameras        poses, rays, projection: the conventions
                    neighbors      nearest neighbours, of any number of points
                    stable         division, roots, unit vectors and angles with finite gradients
                    ply            PLY files as columns and lists
                    zbuffer        which face is nearest in a pixel
                    running        budgets and progress bars
                    shipped        where the files lie that come with the course
    representations voxels         grids and what makes them; binvox
                    points         clouds, normals, surfaces through points; PLY, XYZ
                    implicit       signed distances of meshes and networks, and back
                    views          many pictures, and many planes
    measures        losses         Chamfer, normal, edge, smooth and Laplacian loss
                    metrics        IoU, soft IoU, F1 score, Hausdorff distance
    rendering       rasterize      hard and soft pictures of meshes; sphere tracing
                    volume         rays, samples, weights, colours
    learning        tabular        a table as text, the language model, its baselines
                    tasks          classify, cluster, generate, animate
                    reconstruction an image encoder and four decoders
                    nerf           fields, their training, meshes from them; PSNR, SSIM
                    splatting      Gaussians: projection, sorted sums, training, PLY, meshes
                    data           data sets: ours, ShapeNet's, photographs, scenes

What runs the course:

    showing         viz            pictures and charts with text alternatives
                    widgets        3D views and sliders
    teaching        exercises      per notebook: cases, hints, mistakes and their messages
                    checking       check, hint, solution, progress, collect: what is told, and why
    instructors     grading        submissions run in a sandbox, compared, marked, reported
                    authoring      build, prove, release; makers of all that is in assets
                    doctor         what works on this machine
                    __main__       the commands

A room imports only from its own layer or those above it. No room is imported here, so that
`import course_lib` costs next to nothing; import the room you need.
"""

import os

# How often a waiting thread of torch looks for work before it sleeps; read when torch is loaded. By
# OpenMP's own number, two threads beside two busy processes make 3 steps in the time in which one
# makes 100 (tests/benchmarks/bench_threads.py).
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
