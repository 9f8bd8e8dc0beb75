// The time line: a heat map of the memory that the graph holds, the slider, and the buttons.

const BINS = 600; // stretches of steps
const STRIP = 40; // height of the strip
const HEAT = 31; // and of the heat map in it
const SHADES = 12;

// A stretch of steps is a column: as high and as hot as the most that was held in it, above a
// colour for what ran. Columns of one look are one path: hundreds of elements would be slow.
function startTimeline() {
  const count = Math.max(run.steps.length, 1);
  const bins = Math.min(count, BINS);
  const strip = byId('strip');
  const looks = new Map();
  for (let bin = 0; bin < bins; bin++) {
    const from = Math.floor((bin * count) / bins);
    const to = Math.floor(((bin + 1) * count) / bins);
    for (const [look, bottom, height] of column(run.steps.slice(from, to)))
      pushTo(looks, look, `M${bin} ${bottom}h1v${-height}h-1z`);
  }
  strip.setAttribute('viewBox', `0 0 ${bins} ${STRIP}`);
  for (const [look, parts] of looks) strip.append(stripPath(look, parts.join('')));
  strip.append(
    svg('path', {id: 'cursor', d: `M0 0V${STRIP}`, 'vector-effect': 'non-scaling-stroke'}),
  );
  strip.addEventListener('click', (event) => {
    const {left, width} = strip.getBoundingClientRect();
    go(Math.floor(((event.clientX - left) / width) * count));
  });
  byId('slider').max = String(lastStep);
  byId('slider').addEventListener('input', () => go(Number(byId('slider').value)));
}

// Triples of a look (a kind of step, or a shade), a bottom and a height.
function column(steps) {
  const bytes = steps.reduce((most, step) => Math.max(most, step.bytes || 0), 0);
  const share = bytes / Math.max(mostHeld, 1);
  const shade = Math.ceil(share * SHADES);
  return [
    [steps[0]?.kind || '', STRIP, 7],
    [shade, HEAT, Math.round(HEAT * share)],
    [-shade, HEAT, HEAT],
  ];
}

function stripPath(look, path) {
  if (typeof look === 'string') return svg('path', {class: `phase ${look}`, d: path});
  const opacity = look > 0 ? 0.25 + (0.75 * look) / SHADES : 0.05 - (0.3 * look) / SHADES;
  return svg('path', {class: 'heat', d: path, 'fill-opacity': opacity.toFixed(2)});
}

function showInTimeline(at) {
  const step = run.steps[at];
  const count = Math.max(run.steps.length, 1);
  byId('cursor').setAttribute(
    'transform',
    `translate(${((at + 0.5) * Math.min(count, BINS)) / count} 0)`,
  );
  const slider = byId('slider');
  slider.value = String(at);
  const sentence = sentenceOf(at);
  slider.setAttribute('aria-valuetext', `Step ${at + 1} of ${run.steps.length}: ${sentence}`);
  byId('count').textContent = step ? `step ${at + 1} of ${run.steps.length}` : 'no steps';
  byId('held').textContent = step
    ? `the graph holds ${bytesText(step.bytes || 0)} (at most ${bytesText(mostHeld)})`
    : '';
  byId('now').textContent = step ? `${kindName(step)}: ${sentence}` : sentence;
}

// --- Playing -----------------------------------------------------------------------------------

const PACE = 600; // milliseconds a step
let playing = null;

function play(on = playing === null) {
  clearInterval(playing);
  playing = on
    ? setInterval(() => (state.step < lastStep ? go(state.step + 1) : play(false)), PACE)
    : null;
  byId('play').textContent = on ? '❚❚ pause' : '▶ play';
  byId('play').setAttribute('aria-label', on ? 'Pause' : 'Play');
  if (on && state.step >= lastStep) go(0);
}

// To where the next stretch of steps in one module begins, or the one before.
function goModule(direction) {
  const count = countUpTo(moduleRuns, direction > 0 ? state.step : state.step - 1);
  go(direction > 0 ? (moduleRuns[count] ?? lastStep) : (moduleRuns[count - 1] ?? 0));
}

const MOVES = {
  first: () => go(0),
  last: () => go(lastStep),
  back: () => go(state.step - 1),
  on: () => go(state.step + 1),
  'module-back': () => goModule(-1),
  'module-on': () => goModule(1),
};
