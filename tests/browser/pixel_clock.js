// Notes, inside the page, when the mouse acted and when the pixels of a figure changed. Injected before the page loads.
(() => {
  const clock = {canvas: null, context: null, box: null, hash: 0, input: 0, changes: [], waiting: []};
  window.pixelClock = clock;

  // A change is what matters to the eye, so pixels are compared, not calls counted: hovering redraws the same picture.
  const hashOf = () => {
    const [x, y, width, height] = clock.box;
    const pixels = new Uint32Array(clock.context.getImageData(x, y, width, height).data.buffer);
    let hash = 2166136261;
    for (let k = 0; k < pixels.length; k++) hash = Math.imul(hash ^ pixels[k], 16777619);
    return hash;
  };

  clock.look = () => {
    const hash = hashOf();
    if (hash === clock.hash) return;
    clock.hash = hash;
    const drawn = performance.now();
    // what a canvas holds is on the screen with the next frame
    requestAnimationFrame(() => {
      const change = {drawn: drawn - clock.input, shown: performance.now() - clock.input, hash: hash};
      clock.changes.push(change);
      for (const resolve of clock.waiting.splice(0)) resolve(change);
    });
  };

  // Watch a box [x, y, width, height] of the figure's own pixels.
  clock.watch = (canvas, box) => {
    clock.canvas = canvas;
    clock.context = canvas.getContext("2d");
    clock.box = box;
    clock.hash = hashOf();
    clock.changes = [];
  };

  // Forget the changes so far: the next input is the one whose answer is waited for.
  clock.arm = () => { clock.changes = []; };

  clock.next = (milliseconds) => new Promise((resolve) => {
    if (clock.changes.length) { resolve(clock.changes[0]); return; }
    clock.waiting.push(resolve);
    setTimeout(() => {
      const at = clock.waiting.indexOf(resolve);
      if (at >= 0) { clock.waiting.splice(at, 1); resolve(null); }
    }, milliseconds);
  });

  const drawImage = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    const answer = drawImage.apply(this, given);
    if (this.canvas === clock.canvas) clock.look();
    return answer;
  };

  for (const kind of ["mousedown", "mousemove", "mouseup", "keydown", "wheel", "input"]) {
    window.addEventListener(kind, (event) => { clock.input = event.timeStamp; }, {capture: true, passive: true});
  }
})();
