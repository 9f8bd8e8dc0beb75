// The edges between boxes that are to be seen, and their ways through the gaps between other boxes.

const LANE = 7; // between edges that share a gap
const LONG = 40; // rows; an edge past more of them is drawn at its ends alone

// All edges of the recording: from the call or leaf that made a value to the calls that took it; and
// to a leaf that shares a value's memory, a detached one, though no gradient goes there.
const edges = allEdges();

function allEdges() {
  const found = [];
  run.calls.forEach((_, to) => {
    for (const from of sources[to]) {
      if (boxes.has(from) && boxes.has(callKey(to))) found.push({from, to: callKey(to)});
    }
  });
  for (const box of boxes.values()) {
    const viewed = box.kind === 'leaf' ? (run.values[box.index].view_of ?? null) : null;
    const from = viewed === null ? null : makerOf(viewed);
    if (from !== null && boxes.has(from)) found.push({from, to: box.key, shared: true});
  }
  return found;
}

// Edges between what is to be seen, one for each pair, with the keys that it stands for.
function shownEdges() {
  const found = new Map();
  for (const {from, to, shared} of edges) {
    const start = shownBox(from);
    const end = shownBox(to);
    if (start === end) continue;
    const key = `${start.key}>${end.key}`;
    if (!found.has(key)) found.set(key, {key, start, end, shared});
  }
  return [...found.values()];
}

// The boxes from the root's child down to this one.
function pathTo(box) {
  const path = [];
  for (let at = box; at && at !== root; at = at.group) path.unshift(at);
  return path;
}

// The rows that a way passes: out of the modules around its start, across, into those of its end.
// None where it goes back to a row above, or stays in one: 'back' or 'level'.
function rowsBetween(edge) {
  const down = pathTo(edge.start);
  const up = pathTo(edge.end);
  let common = 0;
  while (down[common] === up[common]) common++;
  const from = down[common];
  const to = up[common];
  if (to.row < from.row) return 'back';
  if (to.row === from.row) return 'level';
  const passed = down
    .slice(common + 1)
    .reverse()
    .map((box) => [box.group, box.row + 1, box.group.rows.length]);
  passed.push([from.group, from.row + 1, to.row]);
  up.slice(common + 1).forEach((box) => passed.push([box.group, 0, box.row]));
  return passed;
}

function route(edge) {
  const passed = rowsBetween(edge);
  if (passed === 'back') return aside(edge);
  if (passed === 'level') return below(edge);
  const start = [middle(edge.start), edge.start.y + edge.start.height];
  const end = [middle(edge.end), edge.end.y];
  edge.long = passed.reduce((sum, [, first, stop]) => sum + stop - first, 0) > LONG;
  if (edge.long) return stubs(start, end);
  const points = [start];
  for (const [group, first, stop] of passed) {
    for (let row = first; row < stop; row++) passRow(group, row, points, end[0]);
  }
  points.push(end);
  return curve(points);
}

function stubs([x1, y1], [x2, y2]) {
  const line = (x, y) => `M${Math.round(x)} ${Math.round(y)}v${ROW_GAP / 2}`;
  return line(x1, y1) + line(x2, y2 - ROW_GAP / 2);
}

// Through one row of boxes: where the straight way would be, or the nearest gap beside it.
function passRow(group, row, points, target) {
  const {top, bottom} = group.bands[row];
  const [x, y] = points[points.length - 1];
  const goal =
    x + (target - x) * Math.min(1, (ROW_GAP + bottom - top) / Math.max(ROW_GAP, bottom - y + 1));
  const gap = nearestGap(group.rows[row], goal);
  points.push([gap, top - 4], [gap, bottom + 4]);
}

function nearestGap(row, x) {
  let best = null;
  for (let i = 0; i <= row.length; i++) {
    const left = i ? row[i - 1].x + row[i - 1].width + BOX_GAP / 3 : -Infinity;
    const right = i < row.length ? row[i].x - BOX_GAP / 3 : Infinity;
    const near = clamp(x, Math.min(left, right), right);
    if (best === null || Math.abs(near - x) < Math.abs(best.near - x))
      best = {near, box: row[Math.min(i, row.length - 1)], i};
  }
  const lanes = (best.box.lanes = best.box.lanes || new Map());
  const used = lanes.get(best.i) || 0;
  lanes.set(best.i, used + 1);
  const shift = best.near === x ? 0 : (used % 4) * LANE * (best.near < x ? -1 : 1);
  return best.near + shift;
}

// Back to a row above, as where a module is called again: beside the boxes.
function aside({start, end}) {
  const [x1, y1] = [start.x + start.width, start.y + start.height / 2];
  const [x2, y2] = [end.x + end.width, end.y + end.height / 2];
  const far = Math.max(x1, x2) + 24 + Math.min(Math.abs(y2 - y1) / 8, 60);
  return `M${x1} ${y1}C${far} ${y1} ${far} ${y2} ${x2} ${y2}`;
}

// Within a row: below its boxes.
function below({start, end}) {
  const [x1, x2] = [middle(start), middle(end)];
  const [y1, y2] = [start.y + start.height, end.y + end.height];
  const low = Math.max(y1, y2) + ROW_GAP;
  return `M${x1} ${y1}C${x1} ${low} ${x2} ${low} ${x2} ${y2}`;
}

function curve(points) {
  const rounded = points.map(([x, y]) => [Math.round(x), Math.round(y)]);
  let path = `M${rounded[0].join(' ')}`;
  for (let i = 1; i < rounded.length; i++) {
    const [x1, y1] = rounded[i - 1];
    const [x2, y2] = rounded[i];
    const half = Math.round((y1 + y2) / 2);
    path += x1 === x2 ? `L${x2} ${y2}` : `C${x1} ${half} ${x2} ${half} ${x2} ${y2}`;
  }
  return path;
}

// Every edge with its path and the span of heights that it covers.
function routed() {
  for (const box of boxes.values()) box.lanes = null;
  return shownEdges().map((edge) => {
    const top = Math.min(edge.start.y, edge.end.y);
    const bottom = Math.max(edge.start.y + edge.start.height, edge.end.y + edge.end.height);
    edge.path = route(edge);
    return Object.assign(edge, {top, bottom});
  });
}
