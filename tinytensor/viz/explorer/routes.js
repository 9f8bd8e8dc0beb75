// The edges between boxes that are to be seen, and their ways through the gaps between other boxes.

const LANE = 7; // between edges that share a gap

// All edges of the recording: from the call or leaf that made a value to the calls that took it.
const edges = allEdges();

function allEdges() {
  const found = [];
  run.calls.forEach((call, to) => {
    for (const from of sourcesOf(call)) {
      if (boxes.has(from) && boxes.has(callKey(to))) found.push({from, to: callKey(to)});
    }
  });
  return found;
}

// A parent may have made none of the inputs: the change in place that gave a view its present node.
function sourcesOf(call) {
  const inputs = call.inputs.filter((input) => 'value' in input).map((input) => makerOf(input.value));
  const parents = call.parents.filter((parent) => parent !== null).map(callKey);
  return new Set([...inputs, ...parents]);
}

function makerOf(index) {
  const {made_by: call} = run.values[index];
  return call === null || call === undefined ? leafKey(index) : callKey(call);
}

// Edges between what is to be seen, one for each pair, with the keys that it stands for.
function shownEdges() {
  const found = new Map();
  for (const {from, to} of edges) {
    const start = shownBox(from), end = shownBox(to);
    if (start === end) continue;
    const key = `${start.key}>${end.key}`;
    if (!found.has(key)) found.set(key, {key, start, end});
  }
  return [...found.values()];
}

// The boxes from the root's child down to this one.
function pathTo(box) {
  const path = [];
  for (let at = box; at && at !== root; at = at.group) path.unshift(at);
  return path;
}

// Points at which a way passes: out of the modules around its start, across, into those of its end.
function route(edge) {
  const down = pathTo(edge.start), up = pathTo(edge.end);
  let common = 0;
  while (down[common] === up[common]) common++;
  const from = down[common], to = up[common];
  if (to.row <= from.row) return aside(edge);
  const x = middle(edge.start), target = middle(edge.end);
  const points = [[x, edge.start.y + edge.start.height]];
  const pass = (group, first, end) => {
    for (let row = first; row < end; row++) passRow(group, row, points, target);
  };
  for (let i = down.length - 1; i > common; i--) pass(down[i].group, down[i].row + 1, down[i].group.rows.length);
  pass(from.group, from.row + 1, to.row);
  for (let i = common + 1; i < up.length; i++) pass(up[i].group, 0, up[i].row);
  points.push([target, edge.end.y]);
  return curve(points);
}

// Through one row of boxes: where the straight way would be, or the nearest gap beside it.
function passRow(group, row, points, target) {
  const {top, bottom} = group.bands[row];
  const [x, y] = points[points.length - 1];
  const goal = x + (target - x) * Math.min(1, (ROW_GAP + bottom - top) / Math.max(ROW_GAP, bottom - y + 1));
  const gap = nearestGap(group.rows[row], goal);
  points.push([gap, top - 4], [gap, bottom + 4]);
}

function nearestGap(row, x) {
  let best = null;
  for (let i = 0; i <= row.length; i++) {
    const left = i ? row[i - 1].x + row[i - 1].width + BOX_GAP / 3 : -Infinity;
    const right = i < row.length ? row[i].x - BOX_GAP / 3 : Infinity;
    const near = clamp(x, Math.min(left, right), right);
    if (best === null || Math.abs(near - x) < Math.abs(best.near - x)) best = {near, box: row[Math.min(i, row.length - 1)], i};
  }
  const lanes = best.box.lanes = best.box.lanes || new Map();
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

function curve(points) {
  const rounded = points.map(([x, y]) => [Math.round(x), Math.round(y)]);
  let path = `M${rounded[0].join(' ')}`;
  for (let i = 1; i < rounded.length; i++) {
    const [x1, y1] = rounded[i - 1], [x2, y2] = rounded[i];
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
    return Object.assign(edge, {path: route(edge), top, bottom});
  });
}
