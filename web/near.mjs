// What waits until the reader comes near.

const SCREEN_AHEAD = "100% 0px";

/**
 * Do something once, when an element comes near what the reader sees.
 * @param {Element} element
 * @param {() => void} build
 */
export function whenNear(element, build) {
  const watcher = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      build();
    },
    { rootMargin: SCREEN_AHEAD },
  );
  watcher.observe(element);
}
