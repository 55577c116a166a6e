"""How many items go into each request."""


def cuts(count: int, least: int, most: int, *, more: bool = False) -> list[int]:
    """Sizes of the requests that `count` items go into, in order.

    Each is from `least` to `most`, and as many as possible are `most`. While `more` items may
    follow, so many are kept back that what is left can always be sent; else all are used up,
    unless there are fewer than `least`.

    Args:
        count: how many items there are.
        least: items that a request must have.
        most: items that it may have, at least `2 * least - 1`.
        more: whether further items may follow.
    """
    sizes = []
    while count >= most + least:
        sizes.append(most)
        count -= most
    if more or count < least:
        return sizes
    if count > most:
        # What is over would be too few for a request of its own.
        return [*sizes, count - least, least]
    return [*sizes, count]
