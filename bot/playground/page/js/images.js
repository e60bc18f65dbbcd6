// Pictures in blocks: files of the playground are shown; from elsewhere nothing is loaded, so those are a note.

import { el, icon } from "./dom.js";
import { fileAddress } from "./files.js";
import { linkTo } from "./links.js";

/** A whole block: the title, and the picture at its size. */
export function imageBlock(image) {
  const title = image.title?.text;
  const address = ownAddress(image);
  return el("figure", { class: "block block-image" }, title && el("figcaption", {}, title),
    address ? el("img", { src: address, alt: image.alt_text ?? "" }) : note(image));
}

/** A small picture beside a text. */
export function imageElement(image) {
  const address = ownAddress(image);
  return address ? el("img", { class: "image-element", src: address, alt: image.alt_text ?? "" }) : note(image);
}

function ownAddress(image) {
  if (image.slack_file?.id) return fileAddress(image.slack_file.id);
  const address = image.image_url ?? image.slack_file?.url ?? "";
  const id = /\/files-pri\/[^/]*?-?(F[A-Z0-9]+)\//.exec(address)?.[1];
  if (id) return fileAddress(id);
  return address.startsWith(`${location.origin}/playground/file/`) ? address : null;
}

function note(image) {
  return el("span", { class: "image-note" }, icon("image"), el("span", {}, image.alt_text ?? "A picture"),
    image.image_url && linkTo(image.image_url, "Open"));
}
