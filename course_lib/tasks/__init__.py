"""The 3D tasks of notebook 02: classify, cluster, generate, animate."""
