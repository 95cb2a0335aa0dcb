// Drawing on the canvas. `size` is [width, height] in the canvas's own pixels.

const LEVEL_COLOURS = ["#ffb000", "#fe6100", "#dc267f", "#785ef0", "#648fff"];
const TINT = 0.14; // share of the level's colour in lit cells
const GLOW = 0.55; // exponent; below 1 it lifts what only one level keeps
const FALLBACK_COLOUR = "#00796b";

export function colourOf(classes, label) {
  return classes[label]?.colour ?? FALLBACK_COLOUR;
}

export function paintPhoto(context, photo, size) {
  context.clearRect(0, 0, ...size);
  context.drawImage(photo, 0, 0, ...size);
}

/** Boxes with their names, the best on top; a highlighted one alone stands out. */
export function paintBoxes(context, found, { scale, classes, highlighted, ratio }) {
  const drawn = [...found].reverse();
  for (const one of drawn) {
    const faint = highlighted && one !== highlighted;
    paintBox(context, one, colourOf(classes, one.label), { scale, ratio, faint });
  }
  const labelled = found.length > 40 && !highlighted ? [] : drawn;
  for (const one of highlighted ? [highlighted] : labelled) {
    paintLabel(context, one, colourOf(classes, one.label), { scale, ratio });
  }
}

function paintBox(context, { box }, colour, { scale, ratio, faint }) {
  const [x1, y1, x2, y2] = box.map((side) => side * scale);
  context.save();
  context.globalAlpha = faint ? 0.25 : 1;
  context.lineWidth = 4 * ratio;
  context.strokeStyle = "rgba(0, 0, 0, 0.45)"; // a dark rim, so that any colour shows on any ground
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.lineWidth = 2.4 * ratio;
  context.strokeStyle = colour;
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.restore();
}

function paintLabel(context, { box, name, score }, colour, { scale, ratio }) {
  const [x1, y1] = box.map((side) => side * scale);
  const text = `${name} ${score.toFixed(2)}`;
  const height = 18 * ratio;
  context.font = `600 ${12 * ratio}px system-ui, "DejaVu Sans", sans-serif`;
  const width = context.measureText(text).width + 8 * ratio;
  const x = Math.max(0, Math.min(x1 - ratio, context.canvas.width - width));
  const y = y1 >= height ? y1 - height : y1;
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
  context.fillStyle = readableOn(colour);
  context.textBaseline = "middle";
  context.fillText(text, x + 4 * ratio, y + height / 2);
}

function readableOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#111418" : "#ffffff";
}

/** The photograph, dark but for the cells that `layer` kept on `level`; null: on all levels. */
export function paintTokens(context, photo, size, { tokens, layer, level }) {
  const { levels } = tokens.layers[layer];
  const weights = level === null ? shareOfLevels(levels) : bitsOf(levels[level]);
  const { stride, rows, columns } = levels[level ?? 0];
  const scale = size[0] / tokens.network_width;
  const reach = [columns * stride * scale, rows * stride * scale];
  const lit = litPhoto(photo, size, maskOf(weights, columns, rows), reach);
  if (level !== null) tint(lit, size, LEVEL_COLOURS[level % LEVEL_COLOURS.length]);
  paintPhoto(context, photo, size);
  context.fillStyle = "rgba(12, 15, 19, 0.82)";
  context.fillRect(0, 0, ...size);
  context.drawImage(lit.canvas, 0, 0);
}

/** A dot in each object token of `layer` on `level`, in the level's colour; null: on all levels. */
export function paintObjects(context, size, { tokens, layer, level, ratio }) {
  const { levels } = tokens.layers[layer];
  const scale = size[0] / tokens.network_width;
  levels.forEach(({ stride, rows, columns, objects }, number) => {
    if (!objects || (level !== null && level !== number)) return;
    context.fillStyle = LEVEL_COLOURS[number % LEVEL_COLOURS.length];
    context.strokeStyle = "#ffffff";
    context.lineWidth = ratio;
    bitsOf({ cells: objects, rows, columns }).forEach((bit, cell) => {
      if (!bit) return;
      const [row, column] = [Math.floor(cell / columns), cell % columns];
      const [x, y] = [column, row].map((place) => (place * stride + stride / 2) * scale);
      context.beginPath();
      context.arc(x, y, (2.5 + number) * ratio, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    });
  });
}

/** One 0 or 1 for each cell, row by row. */
function bitsOf({ cells, rows, columns }) {
  const bytes = Uint8Array.from(atob(cells), (character) => character.charCodeAt(0));
  return Float32Array.from({ length: rows * columns }, (_, cell) => {
    return (bytes[cell >> 3] >> (7 - (cell & 7))) & 1;
  });
}

/** On the finest grid: how many of the levels kept what is there, brightened. */
function shareOfLevels(levels) {
  const { rows, columns, stride } = levels[0];
  const share = new Float32Array(rows * columns);
  for (const level of levels) {
    const bits = bitsOf(level);
    const step = level.stride / stride;
    for (let cell = 0; cell < share.length; cell += 1) {
      const row = Math.floor(Math.floor(cell / columns) / step);
      const column = Math.floor((cell % columns) / step);
      share[cell] += bits[row * level.columns + column] / levels.length;
    }
  }
  return share.map((value) => value ** GLOW);
}

function blank(width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  return canvas.getContext("2d");
}

/** A picture of one pixel per cell whose opacity is the cell's weight. */
function maskOf(weights, columns, rows) {
  const mask = blank(columns, rows);
  const pixels = mask.createImageData(columns, rows);
  weights.forEach((weight, cell) => {
    pixels.data[4 * cell + 3] = Math.round(255 * weight);
  });
  mask.putImageData(pixels, 0, 0);
  return mask.canvas;
}

function litPhoto(photo, size, mask, reach) {
  const lit = blank(...size);
  lit.drawImage(photo, 0, 0, ...size);
  lit.globalCompositeOperation = "destination-in";
  lit.imageSmoothingEnabled = false;
  lit.drawImage(mask, 0, 0, ...reach);
  return lit;
}

function tint(lit, size, colour) {
  lit.globalCompositeOperation = "source-atop";
  lit.globalAlpha = TINT;
  lit.fillStyle = colour;
  lit.fillRect(0, 0, ...size);
}
