// The time line: a heat map of the memory that the graph holds, the slider, and the buttons.

const BINS = 600;

// A bar is a stretch of steps: as high and as hot as the most that was held in it.
function startTimeline() {
  const count = Math.max(run.steps.length, 1);
  const bins = Math.min(count, BINS);
  const strip = byId('strip');
  strip.setAttribute('viewBox', `0 0 ${bins} 40`);
  for (let bin = 0; bin < bins; bin++) {
    const from = Math.floor(bin * count / bins), to = Math.floor((bin + 1) * count / bins);
    strip.append(...bars(bin, run.steps.slice(from, to)));
  }
  strip.append(svg('path', {id: 'cursor', d: 'M0 0V40', 'vector-effect': 'non-scaling-stroke'}));
  strip.addEventListener('click', (event) => {
    const {left, width} = strip.getBoundingClientRect();
    go(Math.floor((event.clientX - left) / width * count));
  });
  byId('slider').max = String(lastStep);
  byId('slider').addEventListener('input', () => go(Number(byId('slider').value)));
}

function bars(bin, steps) {
  const bytes = steps.reduce((most, step) => Math.max(most, step.bytes || 0), 0);
  const share = bytes / mostHeld;
  const height = Math.round(31 * share);
  return [
    svg('rect', {class: 'heat', x: bin, width: 1, y: 0, height: 31 - height, style: `fill-opacity: ${(0.05 + 0.3 * share).toFixed(2)}`}),
    svg('rect', {class: 'heat', x: bin, width: 1, y: 31 - height, height, style: `fill-opacity: ${(0.25 + 0.75 * share).toFixed(2)}`},
      svg('title', {}, `${bytesText(bytes)} held`)),
    svg('rect', {class: `phase ${steps[0]?.kind || ''}`, x: bin, width: 1, y: 33, height: 7}),
  ];
}

function showInTimeline(at) {
  const step = run.steps[at];
  const count = Math.max(run.steps.length, 1);
  byId('cursor').setAttribute('transform', `translate(${(at + 0.5) * Math.min(count, BINS) / count} 0)`);
  const slider = byId('slider');
  slider.value = String(at);
  const sentence = sentenceOf(at);
  slider.setAttribute('aria-valuetext', `Step ${at + 1} of ${run.steps.length}: ${sentence}`);
  byId('count').textContent = `step ${at + 1} of ${run.steps.length}`;
  byId('held').textContent = step ? `graph holds ${bytesText(step.bytes || 0)} of ${bytesText(mostHeld)} at most` : '';
  byId('now').textContent = step ? `${kindName(step)}: ${sentence}` : sentence;
}

// --- Playing -----------------------------------------------------------------------------------

const PACE = 600; // milliseconds a step
let playing = null;

function play(on = playing === null) {
  clearInterval(playing);
  playing = on ? setInterval(() => (state.step < lastStep ? go(state.step + 1) : play(false)), PACE) : null;
  byId('play').textContent = on ? '❚❚ pause' : '▶ play';
  byId('play').setAttribute('aria-label', on ? 'Pause' : 'Play');
  if (on && state.step >= lastStep) go(0);
}

// To where the next stretch of steps in one module begins, or the one before.
function goModule(direction) {
  const count = countUpTo(moduleRuns, direction > 0 ? state.step : state.step - 1);
  go(direction > 0 ? moduleRuns[count] ?? lastStep : moduleRuns[count - 1] ?? 0);
}

const MOVES = {
  first: () => go(0), last: () => go(lastStep), back: () => go(state.step - 1), on: () => go(state.step + 1),
  'module-back': () => goModule(-1), 'module-on': () => goModule(1),
};
