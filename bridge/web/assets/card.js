// A card is what the page shows of one device, and lets do with it.

const words = { idle: "Idle", buffering: "Buffering …", playing: "Playing", paused: "Paused" };
const chimes = "Announcements and chimes are heard over what plays.";

export class Card {
  // house has publish(rest, payload), doctor(slug), now(), chimes, devices,
  // upload(file, progress) and base.
  constructor(slug, house) {
    this.slug = slug;
    this.house = house;
    this.state = null;
    this.row = {};
    this.root = document.querySelector("#card").content.firstElementChild.cloneNode(true);
    this.root.dataset.slug = slug;
    this.get("h2").id = "name-" + slug;
    this.root.setAttribute("aria-labelledby", "name-" + slug);
    this.get(".bar .chimes select").title = chimes;
    this.root.addEventListener("click", (e) => {
      const key = e.target.closest("button[data-do]");
      if (key) this.press(key.dataset.do);
    });
    this.slider("volume", (v) => this.say("set_volume", v), 120);
    this.slider("seek", (v) => this.say("seek", v), 300);
    for (const form of this.root.querySelectorAll("form")) {
      form.addEventListener("submit", (e) => {
        e.preventDefault();
        this.submit(form);
      });
    }
  }

  get(selector) { return this.root.querySelector(selector); }

  say(command, payload = "") {
    this.problem("");
    return this.house.publish(this.slug + "/" + command, String(payload));
  }

  // slider says where a slider is while it is moved, but not more often than
  // once in so many milliseconds, and always where it is left.
  slider(name, say, every) {
    const input = this.get(`[data-do="${name}"]`);
    let last = 0, later = 0;
    const now = () => {
      clearTimeout(later);
      later = 0;
      last = Date.now();
      say(input.value);
    };
    input.addEventListener("input", () => {
      this.held = name;
      if (name === "volume") this.get("output").textContent = input.value;
      if (!later) later = setTimeout(now, Math.max(0, every - (Date.now() - last)));
    });
    input.addEventListener("change", () => {
      if (later) now();
      setTimeout(() => { if (!later) this.held = ""; }, 800);
    });
  }

  press(what) {
    const list = this.get(".join select");
    switch (what) {
      case "ring": return this.say("chime", this.get(".bar .chimes select").value);
      case "mute": return this.say("mute", this.state?.is_volume_muted ? "OFF" : "ON");
      case "pair": return this.say("pair");
      case "unpair": return this.say("pair", "cancel");
      case "join": return list.value && this.say("join", list.value);
      case "forget": return this.house.publish("bridge/request/device/remove", this.slug);
      case "dissolve": return this.house.publish("bridge/request/group/remove", this.row.name);
      case "doctor":
        this.get('[data-do="doctor"]').disabled = true;
        this.get(".diagnosis").textContent = "The doctor goes the way to the speaker, step by step …";
        return this.house.doctor(this.slug);
      default: return this.say(what);
    }
  }

  async submit(form) {
    const data = new FormData(form);
    if (data.has("pin")) {
      this.say("pair_pin", data.get("pin").trim());
      form.reset();
    } else if (data.has("url")) {
      this.say("play_url", data.get("url").trim());
    } else if (data.has("name")) {
      this.house.publish("bridge/request/device/rename", JSON.stringify({ device: this.slug, name: data.get("name").trim() }));
    } else if (data.has("words")) {
      this.say("announce", data.get("words").trim());
    } else {
      await this.send(form, data.get("file"));
    }
  }

  // send uploads a file and has it played.
  async send(form, file) {
    const bar = form.querySelector("progress"), key = form.querySelector("button");
    this.problem("");
    key.disabled = true;
    bar.hidden = false;
    try {
      const path = await this.house.upload(file, (part) => { bar.value = part; });
      const title = file.name.replace(/\.[^.]*$/, "");
      this.say("play_file", JSON.stringify({ path, title, override: "missing" }));
    } catch (err) {
      this.problem(err.message);
    }
    key.disabled = false;
    bar.hidden = true;
    bar.value = 0;
  }

  problem(text) {
    const p = this.get(".problem");
    if (p.textContent !== text) p.textContent = text;
    p.hidden = !text;
  }

  // heard takes what was said on <base>/<slug>/<topic>.
  heard(topic, payload) {
    switch (topic) {
      case "availability":
        this.online = payload === "online";
        return this.show();
      case "state":
        if (this.state?.state !== "playing" && payload.includes('"state":"playing"')) this.problem("");
        this.state = payload ? JSON.parse(payload) : null;
        return this.show();
      case "artwork_base64": {
        const img = this.get(".cover img");
        img.hidden = !payload;
        if (payload) img.src = "data:image/jpeg;base64," + payload;
        this.get(".cover svg").style.display = payload ? "none" : "";
        return;
      }
      case "result": {
        const r = JSON.parse(payload);
        if (r.status === "error") this.problem(`${r.command}: ${r.error.message}`);
      }
    }
  }

  // describe takes the device's row in bridge/devices.
  describe(row) {
    this.row = row;
    this.get("h2").textContent = row.name;
    this.get(".kind").textContent = row.members ? "Group: " + row.members.join(", ") : [row.manufacturer, row.model].filter(Boolean).join(" ");
    const facts = {
      Topics: `${this.house.base}/${this.slug}/…`,
      Address: row.address ? row.address + (row.port ? ":" + row.port : "") : "",
      Protocols: (row.protocols ?? []).join(", "),
      Features: (row.features ?? []).join(", "),
      Firmware: row.firmware,
      "Not playable": row.playable === false ? row.reason : "",
    };
    describe(this.get("dl"), facts);
    const name = this.get('[data-form="name"] input');
    if (name !== document.activeElement) name.value = row.name;
    this.get('[data-do="dissolve"]').hidden = !row.members;
    this.get('[data-do="forget"]').hidden = Boolean(row.members);
    this.get('[data-do="doctor"]').hidden = Boolean(row.members) || !this.house.hasDoctor;
    this.show();
  }

  // show shows the state.
  show() {
    const s = this.state ?? {};
    this.root.classList.toggle("away", this.online === false);
    const state = this.get(".state");
    state.className = "state " + (this.online === false ? "" : s.state ?? "");
    state.textContent = this.online === false ? "Offline" : this.sentence(s);
    this.get(".title").textContent = s.media_title ?? s.media_content_id ?? "";
    this.get(".artist").textContent = [s.media_artist, s.media_album_name].filter(Boolean).join(" — ");
    this.get(".sound").hidden = !this.get(".title").textContent;
    const playing = s.state === "playing" || s.state === "buffering";
    const main = this.get('[data-do="play_pause"]');
    main.setAttribute("aria-label", playing ? "Pause" : "Play");
    main.querySelector("use").setAttribute("href", playing ? "#pause" : "#play");
    const mute = this.get('[data-do="mute"]');
    mute.setAttribute("aria-pressed", String(Boolean(s.is_volume_muted)));
    mute.querySelector("use").setAttribute("href", s.is_volume_muted ? "#mute" : "#loud");
    if (this.held !== "volume") {
      this.get('[data-do="volume"]').value = s.volume ?? 0;
      this.get("output").textContent = s.volume ?? "–";
    }
    if (s.last_error && s.state === "idle") this.problem(s.last_error.message);
    this.showPairing(s);
    this.tick();
  }

  sentence(s) {
    const parts = [words[s.state] ?? ""];
    if (s.activity === "chime" || s.activity === "announcement") parts.push(s.activity);
    if (s.group_leader && s.group_leader !== this.slug) parts.push("with " + s.group_leader);
    if (s.queue_length) parts.push(s.queue_length + " waiting");
    if (s.confidence === "stalled" && s.state === "playing") parts.push("the speaker does not keep time with us, it may be silent");
    if (s.busy) parts.push("somebody else plays on it");
    return parts.filter(Boolean).join(" · ");
  }

  showPairing(s) {
    const pending = s.pairing === "pin_pending";
    const wanted = pending || s.pairing === "required" || s.pairing === "failed";
    const box = this.get(".pairing");
    if (!wanted && !box.hidden) this.problem("");
    box.hidden = !wanted;
    this.get(".pairing form").hidden = !pending;
    this.get('[data-do="pair"]').hidden = pending;
    this.get(".pairing p").textContent = pending ? "The device shows a PIN. Type it here within three minutes."
      : s.pairing === "failed" ? "The pairing did not work, or is not good any more. Pair again:"
      : "This device plays only for senders that are paired with it.";
  }

  // tick moves the position on.
  tick() {
    const s = this.state ?? {};
    const place = this.get(".place");
    place.hidden = s.media_position == null;
    if (place.hidden) return;
    const since = s.state === "playing" ? (this.house.now() - Date.parse(s.media_position_updated_at)) / 1000 : 0;
    let at = Math.max(0, s.media_position + since);
    if (s.media_duration) at = Math.min(at, s.media_duration);
    const slider = this.get('[data-do="seek"]');
    slider.disabled = !s.media_duration;
    slider.max = Math.ceil(s.media_duration ?? 1);
    if (this.held !== "seek") slider.value = s.media_duration ? at : 0;
    slider.setAttribute("aria-valuetext", clock(at));
    this.get(".now").textContent = clock(at);
    this.get(".end").textContent = s.media_duration ? clock(s.media_duration) : "live";
  }

  // diagnosed shows what the doctor says.
  diagnosed(d) {
    this.get('[data-do="doctor"]').disabled = false;
    const box = this.get(".diagnosis");
    box.replaceChildren();
    const line = (text, kind = "") => {
      const p = document.createElement("p");
      p.className = kind;
      p.textContent = text;
      box.append(p);
    };
    if (d.error) return line(d.error, "failed");
    for (const c of d.diagnosis.checks ?? []) line(`${c.name}: ${c.detail}`, c.status);
    if (d.diagnosis.well) return line("The speaker is well.", "ok");
    line("Cause: " + d.diagnosis.cause, "failed");
    line("To do: " + d.diagnosis.advice);
  }
}

// describe writes facts that are known into a list.
export function describe(list, facts) {
  list.replaceChildren();
  for (const [name, value] of Object.entries(facts)) {
    if (!value) continue;
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    list.append(dt, dd);
  }
}

// clock writes seconds as people read them.
export function clock(seconds) {
  const s = Math.floor(seconds), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
