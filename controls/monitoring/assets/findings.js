// Says on the page of findings how many came since it was loaded. Without this script the page shows them
// when it is loaded again.

const place = document.getElementById("new-findings");
if (place && window.EventSource) {
  const link = place.querySelector("a");
  let count = 0;
  const source = new EventSource("/api/v1/monitoring/findings/stream");
  source.addEventListener("finding", () => {
    count += 1;
    link.textContent = (count === 1 ? place.dataset.one : place.dataset.many).replace("{}", count);
    place.hidden = false;
  });
  addEventListener("pagehide", () => source.close());
}
