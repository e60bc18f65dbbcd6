// Files of a message: pictures are shown, everything else is a card that opens or downloads it.

import { el, icon } from "./dom.js";

const SHOWN_PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** Where this page gets a file: from the playground only, never from its `url_private`. */
export function fileAddress(id) {
  return `/playground/file/${encodeURIComponent(id)}`;
}

export function messageFiles(files) {
  return el("div", { class: "files" }, files.map((file) => (SHOWN_PICTURES.has(file.mimetype) ? picture(file) : card(file))));
}

/** "3.4 KB", for people. */
export function fileSize(bytes) {
  if (!(bytes >= 0)) return "";
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(bytes < 1e4 ? 1 : 0)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function nameOf(file) {
  return file.title || file.name || "a file";
}

function picture(file) {
  const name = nameOf(file);
  return el("figure", { class: "file-picture" },
    el("figcaption", {}, name),
    el("a", { href: fileAddress(file.id), target: "_blank", rel: "noopener noreferrer", "aria-label": `Open ${name}` },
      el("img", { src: fileAddress(file.id), alt: file.alt_txt || name, loading: "lazy" })));
}

function card(file) {
  const name = nameOf(file);
  const kind = String(file.pretty_type || file.filetype || "file");
  return el("a", { class: "file-card", href: fileAddress(file.id), download: file.name ?? name, "aria-label": `Download ${name}` },
    el("span", { class: "file-kind" }, icon("file")),
    el("span", { class: "file-text" }, el("strong", {}, name),
      el("small", {}, [kind.length > 5 ? kind : kind.toUpperCase(), fileSize(file.size)].filter(Boolean).join(" · "))),
    icon("download", "icon file-download"));
}
