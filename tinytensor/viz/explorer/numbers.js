// Numbers as text, small arrays as tables, large ones as statistics and a picture.

const WIDE = 5; // columns; more of them have fewer digits
const WORDS = {nan: NaN, inf: Infinity, '-inf': -Infinity}; // which JSON lacks

function asNumber(item) {
  return typeof item === 'string' && Object.hasOwn(WORDS, item) ? WORDS[item] : item;
}

function withMinus(text) {
  return text.replaceAll('-', '−').replace('e+', 'e');
}

// Four digits are what one compares at a glance; the whole number is in the cell's title. A number
// that was rounded keeps its zeros: 0.5 is exact, 0.5000 is not.
function shortNumber(item, digits = 4) {
  const x = asNumber(item);
  if (typeof x === 'boolean') return x ? 'true' : 'false';
  if (typeof x !== 'number') return String(x);
  if (!Number.isFinite(x)) return Number.isNaN(x) ? 'nan' : x > 0 ? 'inf' : '−inf';
  const size = Math.abs(x);
  if (Number.isInteger(x) && size < 1e6) return withMinus(String(x));
  const least = 10 ** -digits; // below, zeros would take the room of digits
  if (size >= 1e5 || size < least) return withMinus(x.toExponential(digits - 2));
  const rounded = size < 10 ** digits ? x.toPrecision(digits) : x.toFixed(0);
  return withMinus(Number(rounded) === x ? String(x) : rounded);
}

function shapeText(shape) {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
}

function bytesText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log(bytes) / Math.log(1024)), units.length);
  return `${Number((bytes / 1024 ** power).toPrecision(3))} ${units[power - 1]}`;
}

// --- Whole arrays ------------------------------------------------------------------------------

function largest(items) {
  return items.flat(Infinity).reduce((most, item) => {
    const size = Math.abs(Number(asNumber(item)));
    return Number.isFinite(size) ? Math.max(most, size) : most;
  }, 0);
}

// Blue above zero and orange below, as deep as the number is large: a table is a picture too.
function tint(item, most) {
  const x = Number(asNumber(item));
  if (!most || !x || !Number.isFinite(x)) return '';
  const share = Math.round(4 + (30 * Math.abs(x)) / most);
  const colour = x > 0 ? 'var(--plus)' : 'var(--minus)';
  return `background: color-mix(in srgb, ${colour} ${share}%, transparent)`;
}

function numberCell(item, most, digits) {
  return html(
    'td',
    {style: tint(item, most) || null, title: String(item)},
    shortNumber(item, digits),
  );
}

function matrixTable(rows, most) {
  const wide = rows[0].length > WIDE;
  const row = (items) =>
    html(
      'tr',
      {},
      items.map((item) => numberCell(item, most, wide ? 3 : 4)),
    );
  return html(
    'table',
    {class: wide ? 'numbers wide' : 'numbers'},
    html('tbody', {}, rows.map(row)),
  );
}

// The last two axes are a table; those before it count through tables.
function arrayTables(items, axes, most, place) {
  if (axes === 0) return [matrixTable([[items]], most)];
  if (axes === 1) return [matrixTable([items], most)];
  if (axes === 2) return [captioned(matrixTable(items, most), place)];
  return items.flatMap((item, i) => arrayTables(item, axes - 1, most, [...place, i]));
}

function captioned(table, place) {
  if (place.length) table.prepend(html('caption', {}, `[${place.join(', ')}]`));
  return table;
}

function wholeArray(value) {
  if (value.shape.includes(0)) return html('p', {class: 'note'}, 'no elements');
  const tables = arrayTables(value.whole, value.shape.length, largest([value.whole]), []);
  return html('div', {class: 'tables'}, tables);
}

// --- Large arrays ------------------------------------------------------------------------------

const STATISTICS = ['min', 'max', 'mean', 'std', 'zeros', 'nan', 'inf'];

function statistics(stats) {
  const shown = STATISTICS.filter((name) => !(['nan', 'inf'].includes(name) && !stats[name]));
  return html(
    'dl',
    {class: 'stats'},
    shown.map((name) =>
      html(
        'div',
        {},
        html('dt', {}, name),
        html('dd', {title: String(stats[name]), 'data-stat': name}, shortNumber(stats[name])),
      ),
    ),
  );
}

function bytesOfText(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Of a pixel between low and high: its colour, and how much of it over the page's background.
function pixelColour(share, low, high) {
  const x = low + (high - low) * share;
  const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return [x >= 0 ? [37, 99, 235] : [234, 88, 12], Math.round((255 * Math.abs(x)) / most)];
}

function thumbnail(thumb) {
  const {rows, columns, low, high} = thumb;
  const canvas = html('canvas', {
    class: 'thumb',
    width: columns,
    height: rows,
    role: 'img',
    'aria-label': `Picture of the values, from ${shortNumber(low)} to ${shortNumber(high)}`,
  });
  const scale = clamp(Math.floor(128 / Math.max(rows, columns)), 1, 12);
  canvas.style.width = `${Math.max(columns * scale, 8)}px`;
  canvas.style.height = `${Math.max(rows * scale, 8)}px`;
  const context = canvas.getContext('2d');
  const image = context.createImageData(columns, rows);
  bytesOfText(thumb.pixels).forEach((byte, i) => {
    const [colour, opacity] = pixelColour(
      byte / 255,
      Number(asNumber(low)),
      Number(asNumber(high)),
    );
    image.data.set([...colour, opacity], 4 * i);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

function numbersOf(value) {
  if (value.whole !== null && value.whole !== undefined) return wholeArray(value);
  return html(
    'div',
    {class: 'large'},
    value.thumb && thumbnail(value.thumb),
    value.stats && statistics(value.stats),
  );
}

// The number itself, where a value is one: graphs of scalars show it on their nodes.
function scalarText(index) {
  const value = run.values[index];
  const single =
    value && value.shape.length === 0 && value.whole !== null && value.whole !== undefined;
  return single ? shortNumber(value.whole) : null;
}
