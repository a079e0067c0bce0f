"use strict";
// Brings the listings of a page to life: sorts, filters, opens and pages them. The data of a listing is JSON beside its
// table; only the lines in view are ever built, and text enters the page as text, never as HTML.
(() => {
  const LINES_A_PAGE = 100;
  const MOST_PRINTED = 1000;
  const MOST_INSIDE = 50;
  const FEWEST_FILTERED = 6;
  const LONG = 30;
  const QUIET = /^(.+?) (\((?:n=|[-+]?\d)[^()]*\))$/s;
  const NUMBER = /[-+]?\d[\d,]*(?:\.\d+)?/g;
  const SVG = "http://www.w3.org/2000/svg";
  const collator = new Intl.Collator("en", { numeric: true });

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function words(text) {
    const [, figure, quiet] = QUIET.exec(text) ?? [text, text];
    return quiet ? [figure, " ", element("small", {}, quiet)] : [figure];
  }

  function numbers(text) {
    return (text.match(NUMBER) ?? []).map((found) => Number(found.replaceAll(",", "")));
  }

  function counted(count) {
    return count.toLocaleString("en");
  }

  class Listing {
    constructor(holder, every) {
      this.holder = holder;
      this.every = every;
      this.data = JSON.parse(holder.querySelector("script").textContent);
      this.body = holder.querySelector("tbody");
      this.head = holder.querySelector("thead tr");
      this.view = [...this.data.lines.keys()];
      this.open = new Set();
      this.sorted = null;
      this.page = 0;
      this.keys = new Map();
    }

    start() {
      this.addHead();
      this.addFilters();
      this.addPager();
      this.body.addEventListener("click", (event) => {
        const button = event.target.closest("tr[data-place] > th > button");
        if (button) this.toggle(button);
      });
      this.show();
    }

    // --- what stands around the table

    addHead() {
      [...this.head.children].forEach((cell, column) => {
        const button = element("button", { type: "button" }, ...cell.childNodes);
        button.addEventListener("click", () => this.sortBy(column));
        cell.replaceChildren(button);
      });
      if (this.data.links.length) this.head.append(element("th", { scope: "col" }, "files"));
    }

    addFilters() {
      this.search = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
      this.choices = this.data.facets.map((facet) => {
        const options = facet.values.map((value, place) => element("option", { value: place }, value));
        return element("select", {}, element("option", { value: "" }, "all"), ...options);
      });
      this.count = element("p", { class: "count", role: "status" });
      const clear = element("button", { type: "button" }, "Clear");
      clear.addEventListener("click", () => {
        this.search.value = "";
        for (const choice of this.choices) choice.value = "";
        this.filter();
      });
      this.search.addEventListener("input", () => this.filter());
      const labels = this.choices.map((choice, place) => {
        choice.addEventListener("change", () => this.filter());
        return element("label", {}, this.data.facets[place].name, choice);
      });
      const group = { class: "filters", role: "group", "aria-label": `Filter ${this.data.name}` };
      const filters = element("div", group, element("label", {}, "words", this.search), ...labels, clear);
      filters.hidden = this.data.lines.length < FEWEST_FILTERED;
      this.holder.prepend(filters, this.count);
    }

    addPager() {
      const last = () => Math.ceil(this.view.length / LINES_A_PAGE) - 1;
      const turns = { First: () => 0, Previous: () => this.page - 1, Next: () => this.page + 1, Last: last };
      this.turns = Object.entries(turns).map(([name, to]) => {
        const button = element("button", { type: "button" }, name);
        button.addEventListener("click", () => {
          this.page = to();
          this.show();
          this.body.closest(".scroll").scrollTop = 0;
        });
        return button;
      });
      this.where = element("span");
      this.pager = element("nav", { class: "pager", "aria-label": `Pages of ${this.data.name}` });
      this.pager.append(...this.turns.slice(0, 2), this.where, ...this.turns.slice(2));
      this.holder.append(this.pager);
    }

    // --- which lines, in which order

    filter() {
      const wanted = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = this.choices.map((choice, place) => [this.data.facets[place].of, choice.value]);
      const asked = chosen.filter(([, value]) => value !== "").map(([of, value]) => [of, Number(value)]);
      this.texts ??= this.data.lines.map((line) => line.join("\n").toLowerCase());
      this.view = [...this.data.lines.keys()].filter(
        (place) =>
          asked.every(([of, value]) => of[place] === value) && wanted.every((word) => this.texts[place].includes(word)),
      );
      this.sort();
      this.page = 0;
      this.show();
    }

    // a third click gives back the order in which the lines came
    sortBy(column) {
      const first = this.data.figures[column] ? "descending" : "ascending";
      const second = first === "descending" ? "ascending" : "descending";
      const now = this.sorted?.column === column ? this.sorted.direction : null;
      const direction = now === null ? first : now === first ? second : null;
      this.sorted = direction && { column, direction };
      [...this.head.children].forEach((cell, place) => {
        if (direction && place === column) cell.setAttribute("aria-sort", direction);
        else cell.removeAttribute("aria-sort");
      });
      if (direction) this.sort();
      else this.view.sort((one, other) => one - other);
      this.page = 0;
      this.show();
    }

    sort() {
      if (!this.sorted) return;
      const { column, direction } = this.sorted;
      const keys = this.keysOf(column);
      const compare = this.data.figures[column] ? (one, other) => one - other : collator.compare;
      const sign = direction === "descending" ? -1 : 1;
      // what was not measured is last in either direction
      this.view.sort((one, other) => {
        if (keys[one] === null || keys[other] === null) {
          return (keys[one] === null) - (keys[other] === null) || one - other;
        }
        return sign * compare(keys[one], keys[other]) || one - other;
      });
    }

    keysOf(column) {
      const figure = this.data.figures[column];
      const key = (text) => (figure ? (numbers(text)[0] ?? null) : text === "" ? null : text);
      if (!this.keys.has(column)) this.keys.set(column, this.data.lines.map((line) => key(line[column])));
      return this.keys.get(column);
    }

    // --- the lines in view

    show(most = LINES_A_PAGE) {
      const from = this.page * LINES_A_PAGE;
      const places = this.view.slice(from, from + most);
      this.body.replaceChildren(...places.flatMap((place) => this.rows(place)));
      const [found, all] = [this.view.length, this.data.lines.length];
      const which = found < all ? `${counted(found)} of ${counted(all)}` : counted(all);
      this.count.textContent = found ? `${which} ${this.data.name}` : `None of ${counted(all)} ${this.data.name} matches`;
      this.pager.hidden = found <= LINES_A_PAGE;
      this.where.textContent = `${counted(from + 1)} to ${counted(from + places.length)}`;
      const pages = Math.ceil(found / LINES_A_PAGE);
      this.turns.forEach((turn, place) => {
        turn.disabled = place < 2 ? this.page === 0 : this.page >= pages - 1;
      });
    }

    rows(place) {
      const open = this.open.has(place);
      const button = element("button", { type: "button", "aria-expanded": open }, this.data.lines[place][0]);
      const first = element("th", { scope: "row" }, button);
      const row = element("tr", { "data-place": place }, first, ...this.cells(place, true));
      row.classList.toggle("open", open);
      return open ? [row, this.behind(place)] : [row];
    }

    toggle(button) {
      const row = button.closest("tr");
      const place = Number(row.dataset.place);
      const open = !this.open.has(place);
      if (open) {
        this.open.add(place);
        row.after(this.behind(place));
      } else {
        this.open.delete(place);
        row.nextElementSibling.remove();
      }
      row.classList.toggle("open", open);
      button.setAttribute("aria-expanded", open);
    }

    // all but the first cell of a line
    cells(place, whole) {
      const line = this.data.lines[place];
      const made = line.slice(1).map((text, offset) => {
        const column = offset + 1;
        if (this.data.headers[column] === "status") return this.status(text, whole ? this.data.marks[place] : []);
        const cell = element("td", {}, ...words(text));
        if (this.data.figures[column]) cell.classList.add("figure");
        else if (text.length > LONG) cell.classList.add("long");
        if (whole && column === this.data.drawn && text) this.draw(cell, text);
        return cell;
      });
      if (this.data.links.length) made.push(this.files(place));
      return made;
    }

    status(text, marks) {
      const status = element("span", { class: "status", "data-status": text.split(" ")[0] }, text);
      const numbered = this.data.numbered && marks.length;
      return element("td", {}, status, ...(numbered ? [" ", element("small", {}, `[${marks.join(",")}]`)] : []));
    }

    files(place) {
      const links = this.data.links[place].map(([word, path]) => element("a", { href: path }, word));
      return element("td", {}, ...links.flatMap((link, number) => (number ? [" ", link] : [link])));
    }

    // a bar as long as the figure and a line over its interval, on the scale of the whole column
    draw(cell, text) {
      this.most ??= this.data.lines.reduce((most, line) => Math.max(most, ...numbers(line[this.data.drawn])), 0);
      const [value, low, high] = numbers(text).map((one) => (100 * one) / this.most);
      const picture = document.createElementNS(SVG, "svg");
      const shape = (name, attributes) => {
        const made = document.createElementNS(SVG, name);
        for (const [key, at] of Object.entries(attributes)) made.setAttribute(key, at);
        picture.append(made);
      };
      for (const [key, at] of Object.entries({ class: "scale", viewBox: "0 0 100 7", "aria-hidden": "true" })) {
        picture.setAttribute(key, at);
      }
      picture.setAttribute("preserveAspectRatio", "none");
      shape("rect", { x: 0, y: 0, width: value, height: 7 });
      if (high !== undefined) shape("line", { x1: low, x2: high, y1: 3.5, y2: 3.5 });
      // figures without an interval stand beneath those with one
      if (high === undefined) cell.append(" ", element("small"));
      cell.classList.add("drawn");
      cell.append(picture);
    }

    // --- what stands behind a line

    behind(place) {
      const box = element("div", { class: "behind" });
      const outer = this.every.get(this.data.within);
      const facts = outer ? outer.factsOf(outer.holderOf(place)) : this.factsOf(place);
      const notes = this.data.marks[place].map((number) => element("li", {}, this.data.notes[number - 1]));
      if (notes.length) box.append(element("h3", {}, "Notes"), element("ul", {}, ...notes));
      box.append(...facts);
      const inner = this.every.get(this.data.inside);
      if (inner) {
        const from = this.data.begins[place];
        box.append(...inner.part(from, this.data.begins[place + 1] ?? inner.data.lines.length));
      }
      const columns = this.head.children.length;
      return element("tr", { class: "detail" }, element("td", { colspan: columns, class: "holder" }, box));
    }

    holderOf(place) {
      return this.data.begins.findLastIndex((begin) => begin <= place);
    }

    factsOf(place) {
      return this.data.facts.flatMap(({ title, names, distinct, of }) => {
        if (of[place] < 0) return [];
        const told = distinct[of[place]].map((text, number) => [names[number], text]).filter(([, text]) => text !== "");
        const pairs = told.map(([name, text]) =>
          element("div", {}, element("dt", {}, name), element("dd", {}, ...words(text))),
        );
        return [element("h3", {}, title), element("dl", {}, ...pairs)];
      });
    }

    // some lines without their first cell, as a table inside another
    part(from, to) {
      const heads = [...this.data.headers.slice(1), ...(this.data.links.length ? ["files"] : [])];
      const head = heads.map((text, offset) => {
        const figure = this.data.figures[offset + 1] ? "figure" : "";
        return element("th", { scope: "col", class: figure }, ...words(text));
      });
      const places = [...Array(Math.min(to - from, MOST_INSIDE)).keys()].map((offset) => from + offset);
      const lines = places.map((place) => element("tr", {}, ...this.cells(place, false)));
      const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines));
      const more = to - from - places.length;
      const told = more ? [element("p", { class: "told" }, `… and ${counted(more)} more below`)] : [];
      return [element("h3", {}, `Its ${this.data.name}`), table, ...told];
    }
  }

  const every = new Map();
  for (const holder of document.querySelectorAll(".listing")) {
    every.set(holder.dataset.name, new Listing(holder, every));
  }
  for (const listing of every.values()) listing.start();
  // paper has no pages to turn
  window.addEventListener("beforeprint", () => {
    for (const listing of every.values()) {
      listing.page = 0;
      listing.show(MOST_PRINTED);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const listing of every.values()) listing.show();
  });
  performance.mark("usable");
})();
