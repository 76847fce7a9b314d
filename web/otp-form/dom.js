/**
 * A new element with attributes, listeners (`onclick: …`) and children. Texts are text nodes, never markup, so that
 * the component works under `require-trusted-types-for 'script'`.
 */
export function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(key, value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Properties set before the element was defined hide its setters: set them again. */
export function takeUp(element, ...names) {
  for (const name of names.filter((each) => Object.hasOwn(element, each))) {
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}
