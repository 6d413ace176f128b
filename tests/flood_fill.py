"""Connected components pixel by pixel, for comparison."""


def unmarked_by_flooding(classes, labels, num_classes):
    """Lists of bools like ``classes`` (N, h, w), whose components nobody has marked."""
    height, width = len(classes[0]), len(classes[0][0])
    rows, columns = len(labels[0]), len(labels[0][0])
    found = []
    for image, marks in zip(classes, labels):
        marked = {
            (y * height // rows, x * width // columns, marks[y][x])
            for y in range(rows)
            for x in range(columns)
            if 0 <= marks[y][x] < num_classes
        }
        names = {name for _, _, name in marked}
        result = [[False] * width for _ in range(height)]
        for y in range(height):
            for x in range(width):
                name = image[y][x]
                component, todo = {(y, x)}, [(y, x)]
                while todo:
                    v, u = todo.pop()
                    for p in range(max(v - 1, 0), min(v + 2, height)):
                        for q in range(max(u - 1, 0), min(u + 2, width)):
                            if image[p][q] == name and (p, q) not in component:
                                component.add((p, q))
                                todo.append((p, q))
                result[y][x] = (
                    name in names
                    and 0 <= name < num_classes
                    and not any((p, q, name) in marked for p, q in component)
                )
        found.append(result)
    return found
