"""What comes from files: photographs and scenes of them, ShapeNet's folders, the course's own shapes."""
