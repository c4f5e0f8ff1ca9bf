// A line chart as SVG text: two axes, lines with their points and the range of the rounds, a legend. Pure. Colours follow the
// reader's light or dark scheme.

export type Point = {
  x: number;
  y: number /** of most rounds, drawn as a thin line */;
  low: number;
  high: number;
};
export type Series = { name: string; points: Point[] };
export type Chart = {
  title: string;
  xTitle: string;
  yTitle: string;
  /** x is always logarithmic: sizes and counts grow by factors */
  yScale: 'linear' | 'logarithmic';
  series: Series[];
};

type Axis = { place(value: number): number; ticks: number[] };

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 76;
const RIGHT = WIDTH - 24;
const TOP = 76;
const BOTTOM = HEIGHT - 58;
const LETTER = 7.2;
/** Told apart also by those who see no red or no green, on light and on dark. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#aa4499'];
const COLOURS_IN_THE_DARK = ['#56b4e9', '#f5924e', '#2fcf9f', '#dd88cc'];

/** @throws Error when there is no point */
export function drawChart(chart: Chart): string {
  const points = chart.series.flatMap((series) => series.points);
  if (points.length === 0) throw new Error(`${chart.title}: nothing to draw`);
  const x = axisOfX(points);
  const y = chart.yScale === 'linear' ? linearAxis(points) : logarithmicAxis(points);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escapeMarkup(chart.title)}">`,
    `<style>${style()}</style>`,
    `<rect class="page" width="${WIDTH}" height="${HEIGHT}" rx="6"/>`,
    text(LEFT, 28, chart.title, 'title'),
    ...drawLegend(chart.series),
    ...drawAxes(x, y),
    text((LEFT + RIGHT) / 2, HEIGHT - 14, chart.xTitle, 'middle'),
    `<text class="middle" transform="translate(18 ${(TOP + BOTTOM) / 2}) rotate(-90)">${escapeMarkup(chart.yTitle)}</text>`,
    ...chart.series.flatMap((series, index) => drawSeries(series, index, x, y)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function style(): string {
  const colours = (list: readonly string[]) =>
    list.map((colour, index) => `.s${index}{stroke:${colour};fill:${colour}}`).join('');
  return [
    'text{font:13px system-ui,sans-serif;fill:#333}.title{font-size:16px;font-weight:600}',
    '.middle{text-anchor:middle}.end{text-anchor:end}.page{fill:#fff}.grid{stroke:#ddd}.axis{stroke:#777}',
    '.line{fill:none;stroke-width:2}.range{opacity:.5;stroke-width:1.5}',
    colours(COLOURS),
    '@media(prefers-color-scheme:dark){text{fill:#ddd}.page{fill:#15181d}.grid{stroke:#333a44}.axis{stroke:#8a929e}',
    `${colours(COLOURS_IN_THE_DARK)}}`,
    'polyline.line,line.line{fill:none}',
  ].join('');
}

function axisOfX(points: readonly Point[]): Axis {
  const ticks = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const first = Math.log(ticks[0]!);
  const span = Math.log(ticks.at(-1)!) - first;
  const inner = RIGHT - LEFT - 40;
  const place = (value: number) =>
    LEFT + 20 + (span === 0 ? inner / 2 : ((Math.log(value) - first) / span) * inner);
  return { place, ticks };
}

/** From 0, so that heights compare as the figures do. */
function linearAxis(points: readonly Point[]): Axis {
  const most = Math.max(...points.map(({ high }) => high)) || 1;
  const magnitude = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((each) => most / each <= 5)!;
  const count = Math.ceil(most / step);
  const place = (value: number) => BOTTOM - (value / (count * step)) * (BOTTOM - TOP);
  return { place, ticks: Array.from({ length: count + 1 }, (_, index) => index * step) };
}

function logarithmicAxis(points: readonly Point[]): Axis {
  const values = points.flatMap(({ low, high }) => [low, high]).filter((value) => value > 0);
  const steps = [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5].flatMap((power) =>
    [1, 2, 5].map((factor) => Number((factor * 10 ** power).toPrecision(1))),
  );
  const least = steps.findLast((step) => step <= Math.min(...values)) ?? steps[0]!;
  const most = steps.find((step) => step > Math.max(...values)) ?? steps.at(-1)!;
  const span = Math.log(most / least);
  const place = (value: number) =>
    BOTTOM - (Math.log(Math.max(value, least) / least) / span) * (BOTTOM - TOP);
  return { place, ticks: steps.filter((step) => step >= least && step <= most) };
}

function drawAxes(x: Axis, y: Axis): string[] {
  return [
    ...y.ticks.flatMap((tick) => {
      const at = round(y.place(tick));
      return [
        `<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${at}" y2="${at}"/>`,
        text(LEFT - 8, at + 4, formatTick(tick), 'end'),
      ];
    }),
    ...x.ticks.flatMap((tick) => {
      const at = round(x.place(tick));
      return [
        `<line class="axis" x1="${at}" x2="${at}" y1="${BOTTOM}" y2="${BOTTOM + 5}"/>`,
        text(at, BOTTOM + 20, formatTick(tick), 'middle'),
      ];
    }),
    `<path class="axis" fill="none" d="M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}"/>`,
  ];
}

function drawLegend(series: readonly Series[]): string[] {
  let at = LEFT;
  return series.flatMap(({ name }, index) => {
    const start = at;
    at += 40 + name.length * LETTER;
    return [
      `<line class="line s${index % COLOURS.length}" x1="${round(start)}" x2="${round(start + 22)}" y1="50" y2="50"/>`,
      mark(start + 11, 50, index),
      text(start + 28, 54, name, ''),
    ];
  });
}

function drawSeries({ points }: Series, index: number, x: Axis, y: Axis): string[] {
  const colour = `s${index % COLOURS.length}`;
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const places = sorted.map((point) => `${round(x.place(point.x))},${round(y.place(point.y))}`);
  return [
    `<polyline class="line ${colour}" points="${places.join(' ')}"/>`,
    ...sorted.flatMap((point) => {
      const at = round(x.place(point.x));
      const range = `y1="${round(y.place(point.low))}" y2="${round(y.place(point.high))}"`;
      return [
        `<line class="range ${colour}" x1="${at}" x2="${at}" ${range}/>`,
        mark(at, y.place(point.y), index),
      ];
    }),
  ];
}

/** A circle, a square or a diamond: lines are told apart without colours too. */
function mark(x: number, y: number, index: number): string {
  const colour = `s${index % COLOURS.length}`;
  if (index % 3 === 0) return `<circle class="${colour}" cx="${round(x)}" cy="${round(y)}" r="4"/>`;
  const turn = index % 3 === 2 ? ` transform="rotate(45 ${round(x)} ${round(y)})"` : '';
  return `<rect class="${colour}" x="${round(x - 3.5)}" y="${round(y - 3.5)}" width="7" height="7"${turn}/>`;
}

function text(x: number, y: number, content: string, kind: string): string {
  return `<text${kind ? ` class="${kind}"` : ''} x="${round(x)}" y="${round(y)}">${escapeMarkup(content)}</text>`;
}

function formatTick(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeMarkup(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
