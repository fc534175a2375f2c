// The tables as menus offer them: titles, and pairs of value and text.

/** The value that stands for a model or a device with the reader's own numbers. */
export const OWN_CHOICE = "own";

export function shelvesOf(tables, name, wanted = () => true) {
  const rows = tables[name].rows.values(); // each shelf takes the next ones
  return tables.shelves[name].map(([title, count]) => [
    title,
    Array.from({ length: count }, () => rows.next().value)
      .filter(wanted)
      .map(pairOf),
  ]);
}

export function pairOf({ id, name }) {
  return [id, name];
}
