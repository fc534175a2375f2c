// The tables as menus offer them: titles, and pairs of value and text.

export function shelvesOf(tables, name) {
  const rows = tables[name].values(); // each shelf takes the next ones
  return tables.shelves[name].map(([title, count]) => [
    title,
    Array.from({ length: count }, () => pairOf(rows.next().value)),
  ]);
}

export function pairOf({ id, name }) {
  return [id, name];
}
