"""What views do in the browser besides drawing: names, keys, a word while computing."""

import anywidget
import traitlets


class ViewScript(anywidget.AnyWidget):
    """A widget without a look of its own that minds the controls of the view around it.

    Sliders and play buttons get the names by which screen readers call them; while `busy` for more
    than 300 ms the view says so; after the kernel has gone it looks dead and says what to do.
    """

    busy = traitlets.Bool(False).tag(sync=True)
    _esm = """
    const BUTTONS = {play: 'play or pause', pause: 'pause', stop: 'go back', retweet: 'repeat'};
    function nameControls(view) {
      for (const slider of view.querySelectorAll('.widget-slider'))
        slider.querySelector('.noUi-handle')
          ?.setAttribute('aria-label', slider.querySelector('.widget-label').textContent);
      for (const icon of view.querySelectorAll('.widget-play button:not([aria-label]) i')) {
        const [, what] = icon.className.match(/fa-(play|pause|stop|retweet)/) ?? [];
        if (what) icon.parentElement.setAttribute('aria-label', BUTTONS[what]);
      }
    }
    function render({model, el}) {
      let view, timer;
      const observer = new MutationObserver(() => nameControls(view));
      const attached = () => {
        view = el.closest('.course-view');
        if (!view) return requestAnimationFrame(attached);
        nameControls(view);
        observer.observe(view, {childList: true, subtree: true});
      };
      attached();
      model.on('change:busy', () => {
        clearTimeout(timer);
        const mark = () => view?.classList.toggle('course-busy', model.get('busy'));
        timer = setTimeout(mark, model.get('busy') ? 300 : 150);  // the next move may wait
      });
      return () => observer.disconnect();
    }
    export default {render};
    """
    _css = """
    .course-view { position: relative; }
    .course-busy::before, .course-view.jupyter-widgets-disconnected::before {
      content: 'computing …'; position: absolute; right: 0; top: 0; z-index: 20; padding: 2px 10px;
      background: #333333; color: #ffffff; font-family: inherit;
    }
    .course-view.jupyter-widgets-disconnected::before { content: 'run this cell again to move it'; }
    .course-view.jupyter-widgets-disconnected > * { opacity: 0.4; pointer-events: none; }
    .course-view .jupyter-widgets-disconnected::before { display: none; }
    """


# k3d runs this script once in each of its views:
# - It writes tick labels, some thousand page nodes, even where its grid is hidden: they are removed.
# - The canvas has a name and can be focused; arrow keys turn the view, + and − move it near and far.
# - The wheel scrolls the page until the view is clicked, or reached by Tab.
CANVAS = """
const world = K3DInstance.getWorld(), place = world.targetDOMNode;
const canvas = world.renderer.domElement, labels = world.overlayDOMNode;
labels.replaceChildren();
new MutationObserver(() => labels.replaceChildren()).observe(labels, {childList: true});

canvas.tabIndex = 0;
canvas.setAttribute('role', 'application');
canvas.setAttribute('aria-label', `${K3DInstance.parameters.customData.name} Arrow keys turn it.`);
canvas.setAttribute('data-lm-suppress-shortcuts', 'true');
place.addEventListener('pointerdown', () => canvas.focus({preventScroll: true}), true);
place.addEventListener('wheel', event => {
  if (!canvas.matches(':focus')) event.stopPropagation();
}, true);

const TURNS = {ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const ZOOMS = {'+': 1 / 1.1, '-': 1.1}, STEP = Math.PI / 36;
canvas.addEventListener('keydown', event => {
  const turn = TURNS[event.key], zoom = ZOOMS[event.key];
  if (!turn && !zoom) return;
  event.preventDefault();
  event.stopPropagation();
  const {camera, controls} = world, {target} = controls;
  const away = camera.position.clone().sub(target).multiplyScalar(zoom || 1);
  const side = camera.up.clone().cross(away).normalize();
  const [across, up] = (turn || [0, 0]).map(step => -step * STEP);
  away.applyAxisAngle(camera.up.clone().normalize(), across).applyAxisAngle(side, up);
  camera.up.applyAxisAngle(side, up);
  camera.position.copy(target).add(away);
  controls.update();
});
"""
