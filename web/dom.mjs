// Small helpers to build HTML and SVG without a framework.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an HTML element.
 * @param {string} tag - Tag name, with classes as in `"p.note"`.
 * @param {object} attributes - Attributes; `on…` functions become listeners, `false` and null are left out.
 * @param {...(Node|string|null|false|Array)} children - What goes inside.
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag.split(".")[0]), tag, attributes, children);
}

/**
 * Make an SVG element; the arguments are those of `h`.
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag.split(".")[0]), tag, attributes, children);
}

function fill(element, tag, attributes, children) {
  const classes = tag.split(".").slice(1).join(" ");
  if (classes) element.setAttribute("class", classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/**
 * Put new children in the place of an element's old ones.
 * @param {Element} element - What to fill.
 * @param {...(Node|string|null|false|Array)} children - The new content.
 */
export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child));
}

/**
 * Let the browser do what else it has to.
 * @returns {Promise<void>} Fulfilled in a task of its own.
 */
export function nextTask() {
  return new Promise((resolve) => setTimeout(resolve));
}

/**
 * Do something when the frame that is in the making has been painted.
 * @param {() => void} task
 */
export function afterPaint(task) {
  requestAnimationFrame(() => setTimeout(task));
}

/**
 * Make of a task one that is done after the paint, once however often it was asked for until then.
 * @param {() => void} task
 * @returns {() => void}
 */
export function onceAfterPaint(task) {
  let waiting = false;
  return () => {
    if (!waiting) {
      afterPaint(() => {
        waiting = false;
        task();
      });
    }
    waiting = true;
  };
}

/**
 * Run a classic script, which works on a page opened straight from the disk, too.
 * @param {string} address
 * @returns {Promise<void>} Rejected if the script does not come.
 */
export function runScript(address) {
  return new Promise((resolve, reject) => {
    const script = h("script", { src: address, onload: () => resolve(), onerror: reject });
    document.head.append(script);
  });
}
