"""Starting an Amazon AppStream 2.0 image builder: the request contract, AppStream access and what its answers mean."""
