"""For those who test against Uptake, or a back end or a format of their own for it.

A live server (`live`), a real object store (`seaweedfs`), the suites that define what a store is
(`store`) and a blob store (`blobs`), and the runner of the formats' vectors (`vectors`).
"""
