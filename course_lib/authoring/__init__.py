"""What an author runs: notebooks built, checked and released, and everything in `assets` made.

    notebook   a notebook from its source, set-up cell too  release  the students' package
    build      run them, write the .ipynb                   seal     its solutions withheld
    solve      the solved edition                           sealed   how the package reads them
    check      all that must hold before a commit           prove    it runs in a clean environment
    nbval      notebooks run as tests                       assets   which maker fills which folder

The makers: `llm_scores` (notebook 01), `checkpoints` (the networks of 05), `desk` and `scene` (the
photographs of 07); the census rows of 01 are made in `tabular.rows`.
"""
