// The page: reads REST once, then follows the live events. Everything it needs is beside it; nothing comes from outside.
const $ = (selector, within = document) => within.querySelector(selector);
const alerts = new Map(), cameras = new Map(), pictures = new Map();
const filled = new Set();  // pictures that show a place as it was without the people in it
const KEPT_PICTURES = 200;

function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}
const bearer = { Authorization: `Bearer ${token()}` };

async function get(path) {
  const response = await fetch(path, { headers: bearer });
  if (!response.ok) throw Object.assign(new Error((await response.json().catch(() => ({}))).detail ?? response.statusText), { status: response.status });
  return response;
}

function say(text, kind) {
  $("#link").textContent = text;
  $("#link").className = kind;
}

async function picture(key) {
  if (!pictures.has(key)) {
    const path = key.split("/").map(encodeURIComponent).join("/");
    pictures.set(key, get(`api/v1/pictures/${path}`).then(shown));
    pictures.get(key).catch(() => pictures.delete(key));
    if (pictures.size > KEPT_PICTURES) {
      const [oldest, url] = pictures.entries().next().value;
      pictures.delete(oldest);
      url.then((each) => { filled.delete(each); URL.revokeObjectURL(each); }, () => {});
    }
  }
  return pictures.get(key);
}

async function shown(response) {
  const url = URL.createObjectURL(await response.blob());
  if (Number(response.headers.get("X-Lamplight-Filled")) > 0) filled.add(url);
  return url;
}

const when = (text) => (text ? new Date(text).toLocaleString() : "");
const isOpen = (alert) => alert.phase !== "resolved";

function alertCard(alert) {
  const card = $("#alert-card").content.firstElementChild.cloneNode(true);
  card.dataset.id = alert.alert_id;
  card.classList.add(isOpen(alert) ? "open" : "ended", alert.severity);
  $(".severity", card).textContent = alert.severity;
  $(".severity", card).classList.add(alert.severity);
  $(".phase", card).textContent = alert.is_stale ? `${alert.phase}, no evidence now` : alert.phase;
  $(".composite", card).hidden = !(alert.labels ?? []).includes("composite");
  $("time", card).textContent = when(alert.opened_at) + (alert.resolved_at ? ` – ${when(alert.resolved_at)}` : "");
  $("h3", card).textContent = alert.summary;
  $(".where", card).textContent = [alert.camera_name || alert.camera_id, alert.district, alert.rule_name || alert.rule_id].filter(Boolean).join(" · ");
  $(".why", card).textContent = alert.reason ?? "";
  const cited = (alert.pictures ?? []).at(-1);
  if (cited) showPicture(card, alert, cited);
  return card;
}

function showPicture(card, alert, cited) {
  picture(cited.key).then((url) => {
    const image = $("img", card);
    image.src = url;
    image.alt = `Redacted picture of ${alert.camera_name || alert.camera_id}, ${when(cited.at)}`;
    image.hidden = false;
    $(".no-picture", card).hidden = true;
    $(".picture", card).onclick = () => {
      $("#large img").src = url;
      $("#large img").alt = image.alt;
      $("#large p").textContent = `${alert.summary} (${when(cited.at)}; people and plates were cut out before this picture left memory${
        filled.has(url) ? "; where people were, the place is shown as it was without them" : ""})`;
      $("#large").showModal();
    };
  }, (error) => { $(".no-picture", card).textContent = error.message; });
}

function drawAlerts() {
  const camera = $("#camera-filter").value, ended = $("#ended").checked;
  const shown = [...alerts.values()]
    .filter((alert) => (ended || isOpen(alert)) && (!camera || alert.camera_id === camera))
    .sort((a, b) => isOpen(b) - isOpen(a) || (a.at < b.at ? 1 : -1))
    .slice(0, 200);
  $("#alerts").replaceChildren(...shown.map(alertCard));
  $("#no-alerts").hidden = shown.length > 0;
  $("#open-count").textContent = `${[...alerts.values()].filter(isOpen).length} open`;
}

function drawCameras() {
  const shown = [...cameras.values()].sort((a, b) => a.id.localeCompare(b.id));
  $("#cameras").replaceChildren(...shown.map((camera) => {
    const row = $("#camera-row").content.firstElementChild.cloneNode(true);
    row.dataset.id = camera.id;
    row.classList.add(camera.state.state);
    $(".name", row).textContent = camera.name || camera.id;
    const labels = (camera.labels ?? []).join(", ");
    $(".detail", row).textContent = [camera.id, camera.district, labels, camera.state.reason].filter(Boolean).join(" · ");
    $(".state", row).textContent = camera.state.state;
    return row;
  }));
  $("#no-cameras").hidden = shown.length > 0;
  $("#live-count").textContent = `${shown.filter((camera) => camera.state.state === "live").length} of ${shown.length} live`;
  const filter = $("#camera-filter"), chosen = filter.value;
  filter.replaceChildren(new Option("all", ""), ...shown.map((camera) => new Option(camera.name || camera.id, camera.id)));
  filter.value = chosen;
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; drawAlerts(); drawCameras(); });
}

async function readAll() {
  const [told, seen] = await Promise.all([get("api/v1/alerts?limit=500"), get("api/v1/cameras")]);
  alerts.clear(); cameras.clear();
  for (const alert of (await told.json()).alerts) alerts.set(alert.alert_id, alert);
  for (const camera of (await seen.json()).cameras) cameras.set(camera.id, camera);
  draw();
}

function take(kind, content) {
  if (kind === "alert") alerts.set(content.alert_id, content);
  if (kind === "camera") content.removed ? cameras.delete(content.id) : cameras.set(content.id, content);
  if (kind === "lagged") return readAll();
  draw();
}

async function follow() {
  const reader = (await get("api/v1/events")).body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const kind = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const content = lines.find((line) => line.startsWith("data: "))?.slice(6);
      if (kind === "hello") { await readAll(); say("live", "live"); }
      else if (kind) await take(kind, JSON.parse(content));
    }
  }
}

async function main() {
  $("#ended").onchange = $("#camera-filter").onchange = draw;
  for (let pause = 1; ; pause = Math.min(pause * 2, 15)) {
    try {
      await follow();
      pause = 1;
      say("connection ended, trying again", "waiting");
    } catch (error) {
      if (error.status === 401 || error.status === 403) return say("no access: open the page by the link that `lamplight up` prints", "refused");
      say("no connection, trying again", "waiting");
    }
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
  }
}
main();
