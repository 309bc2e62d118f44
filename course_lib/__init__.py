"""Deep learning for 3D: the library behind the notebooks.

The modules form layers, and a module imports only from layers above its own:

    ground           shapes meshes cameras neighbors running
    representations  voxels points implicit views
    measures         losses metrics
    rendering        rasterize volume
    learning         tabular reconstruction nerf data
    showing          viz widgets
    teaching         exercises checking
    instructors      grading authoring

Nothing is imported here, so `import course_lib` costs next to nothing; import the module you need.
"""
