"""A double of the AppStream 2.0 image builder API: what boto3 and the AWS CLI talk to where there is no AWS.

The operations' shapes, constraints and errors come from botocore's own service model; how a builder lives comes from
the AppStream 2.0 administration guide, "Image Builder Actions". `python -m local.appstream` serves it on loopback.
"""
