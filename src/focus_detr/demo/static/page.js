// What the page shows, and what happens when somebody uses it.

import { colourOf, paintBoxes, paintObjects, paintPhoto, paintTokens } from "./painting.js";
import { detect, fetchModel, fetchPicture } from "./server.js";

const LOWEST_SCORE = 0.05; // what the slider can show is asked for at once

const element = (id) => document.getElementById(id);
const canvas = element("canvas");

const state = {
  model: null,
  photo: null, // HTMLImageElement
  answer: null,
  layer: null, // null: boxes; else the encoder layer whose tokens are shown
  level: null, // null: all levels
  objects: false, // whether the layer's object tokens are marked
  highlighted: null,
  request: null, // AbortController of the picture under way
};

function shownDetections() {
  const threshold = Number(element("score").value);
  return (state.answer?.detections ?? []).filter(({ score }) => score >= threshold);
}

function say(sentence) {
  element("message").textContent = sentence ? sentence[0].toUpperCase() + sentence.slice(1) : "";
  element("message").hidden = !sentence;
}

function button(text, pressed, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", action);
  return made;
}

function showViews() {
  const layers = state.answer?.tokens?.layers ?? [];
  const choose = (layer) => () => {
    state.layer = layer;
    show();
  };
  const tabs = layers.map((_, layer) => {
    return button(`Layer ${layer + 1}`, state.layer === layer, choose(layer));
  });
  element("views").replaceChildren(button("Boxes", state.layer === null, choose(null)), ...tabs);
  element("views").hidden = !layers.length;
}

function showLevels() {
  const levels = state.answer?.tokens?.layers[state.layer]?.levels ?? [];
  const choose = (level) => () => {
    state.level = level;
    show();
  };
  const chips = levels.map(({ stride, kept, rows, columns }, level) => {
    const share = Math.round((100 * kept) / (rows * columns));
    return button(`Stride ${stride}: ${share} %`, state.level === level, choose(level));
  });
  const { objects } = state.answer?.tokens?.layers[state.layer] ?? {};
  if (objects) {
    const turn = () => {
      state.objects = !state.objects;
      show();
    };
    chips.push(button(`Object tokens: ${objects}`, state.objects, turn));
  }
  element("levels").replaceChildren(button("All levels", state.level === null, choose(null)), ...chips);
  element("levels").hidden = !levels.length;
}

function captionText() {
  if (!state.answer) return "";
  const { width, height, milliseconds, tokens } = state.answer;
  if (state.layer === null) {
    return `${width} x ${height} pixels, detected in ${milliseconds} ms.${costText()}`;
  }
  const { kept, cells } = tokens.layers[state.layer];
  const share = Math.round((100 * kept) / cells);
  const brightness = state.level === null ? " The brighter, the more levels keep a place." : "";
  return `Layer ${state.layer + 1} refines ${kept} of ${cells} tokens (${share} %).${brightness}`;
}

/** What the picture cost beside the network that refines all tokens. */
function costText() {
  if (!state.answer.cost) return "";
  const { multiply_adds: ours, dense } = state.answer.cost;
  const [cost, other] = [ours, dense].map((count) => (count / 1e9).toFixed(1));
  const share = Math.round((100 * ours) / dense);
  return ` ${cost} billion multiply-adds; with all tokens ${other} (${share} %).`;
}

function showFound(found) {
  const items = found.map((one) => {
    const item = document.createElement("li");
    const [patch, name, score] = ["i", "b", "span"].map((tag) => document.createElement(tag));
    patch.style.background = colourOf(state.model.classes, one.label);
    name.textContent = one.name;
    score.textContent = one.score.toFixed(2);
    item.append(patch, name, score);
    item.addEventListener("mouseenter", () => highlight(one));
    item.addEventListener("mouseleave", () => highlight(null));
    return item;
  });
  element("found").replaceChildren(...items);
  const total = state.answer?.detections.length ?? 0;
  element("count").textContent = state.answer ? `${found.length} shown of ${total} found` : "";
}

function highlight(one) {
  state.highlighted = one;
  paint();
}

/** The photograph as large as its place allows, sharp on any screen. */
function fitCanvas() {
  const { naturalWidth, naturalHeight } = state.photo;
  const room = element("stage").clientWidth;
  const scale = Math.min(room / naturalWidth, (0.68 * window.innerHeight) / naturalHeight);
  const [width, height] = [naturalWidth, naturalHeight].map((side) => Math.max(1, side * scale));
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  return ratio;
}

function paint() {
  canvas.hidden = !state.photo;
  element("hint").hidden = Boolean(state.photo);
  if (!state.photo) return;
  const ratio = fitCanvas();
  const size = [canvas.width, canvas.height];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (state.layer !== null) {
    const { layer, level } = state;
    const { tokens } = state.answer;
    paintTokens(context, state.photo, size, { tokens, layer, level });
    if (state.objects) paintObjects(context, size, { tokens, layer, level, ratio });
    if (!state.highlighted) return;
  } else {
    paintPhoto(context, state.photo, size);
  }
  const { highlighted, model } = state;
  const scale = canvas.width / (state.answer?.width ?? 1);
  paintBoxes(context, shownDetections(), { scale, classes: model.classes, highlighted, ratio });
}

function showDownload() {
  const link = element("download");
  URL.revokeObjectURL(link.href);
  link.hidden = !state.answer;
  if (!state.answer) return;
  const text = JSON.stringify(state.answer, null, 1);
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
}

function show() {
  state.highlighted = null;
  element("score-value").textContent = Number(element("score").value).toFixed(2);
  showViews();
  showLevels();
  element("caption").textContent = captionText();
  showFound(shownDetections());
  paint();
}

async function loadPhoto(picture) {
  const photo = new Image();
  photo.src = URL.createObjectURL(picture);
  await photo.decode();
  return photo;
}

function forget() {
  state.request?.abort();
  if (state.photo) URL.revokeObjectURL(state.photo.src);
  Object.assign(state, { photo: null, answer: null, layer: null, level: null });
  say("");
  showDownload();
}

/** Show a picture file and what is in it; `sample` is its button, if it was offered. */
async function open(picture, sample = null) {
  forget();
  for (const one of element("samples").children) one.setAttribute("aria-pressed", one === sample);
  const request = new AbortController();
  state.request = request;
  try {
    element("busy").hidden = false;
    await detectOn(await picture, request);
  } catch (error) {
    if (state.request === request) refuse(error.message);
  } finally {
    if (state.request === request) element("busy").hidden = true;
  }
}

async function detectOn(picture, request) {
  const { limits, tokens } = state.model;
  if (picture.size > limits.upload_bytes) {
    throw new Error(`the file is too large: at most ${limits.upload_bytes / 1e6} MB`);
  }
  const loading = loadPhoto(picture).then(
    (photo) => {
      if (state.request !== request) return;
      state.photo = photo;
      show();
    },
    () => null, // the server says what is wrong with it
  );
  const answer = await detect(picture, { threshold: LOWEST_SCORE, tokens, signal: request.signal });
  await loading;
  if (state.request !== request) return;
  if (!state.photo) throw new Error("this browser cannot show pictures of this kind");
  state.answer = answer;
  showDownload();
  show();
}

function refuse(sentence) {
  forget();
  show();
  say(sentence);
}

function offerSamples(pictures) {
  const buttons = pictures.map(({ name, url, thumbnail }) => {
    const offered = button("", false, () => open(fetchPicture(url), offered));
    const small = new Image();
    Object.assign(small, { src: thumbnail, alt: name, title: name });
    offered.append(small);
    return offered;
  });
  element("samples").replaceChildren(...buttons);
  element("samples").hidden = !buttons.length;
}

function listenToDrops() {
  const stage = element("stage");
  const mark = (over) => (event) => {
    event.preventDefault();
    stage.classList.toggle("over", over);
  };
  // on the whole page, as a file dropped beside the stage would leave it
  window.addEventListener("dragover", mark(true));
  window.addEventListener("dragleave", mark(false));
  window.addEventListener("drop", (event) => {
    mark(false)(event);
    if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
}

function aboutText({ classes, tokens }) {
  const names = classes.slice(0, 3).map(({ name }) => name);
  const more = classes.length > names.length ? ` and ${classes.length - names.length} more` : "";
  const exported = tokens ? "" : " (exported: without tokens)";
  return `detects ${names.join(", ")}${more}${exported}`;
}

async function start() {
  try {
    state.model = await fetchModel();
  } catch (error) {
    say(error.message);
    return;
  }
  element("about").textContent = aboutText(state.model);
  element("score").value = state.model.threshold;
  element("score").addEventListener("input", show);
  element("file").addEventListener("change", ({ target }) => {
    if (target.files.length) open(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  window.addEventListener("resize", paint);
  listenToDrops();
  offerSamples(state.model.pictures);
  show();
}

start();
