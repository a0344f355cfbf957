"""A local fake of the Amazon AppStream 2.0 image builder API, and of the tagging API for image builders.

It answers boto3 and the AWS CLI unchanged, over HTTP on loopback (`server`) or in process (`in_process`). Shapes and
constraints are those of botocore's service model; states and preconditions are those of the AppStream 2.0
administration guide, "Image Builder Actions".
"""
