"""For those who test against Uptake, or a back end or a format of their own for it.

A live server (`live`), the suite that defines what a store is (`store`), and the runner of the
formats' vectors (`vectors`).
"""
