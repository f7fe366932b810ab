"""Masks painted on pictures of faces: landmarks, outlines, paint, datasets and batches."""
