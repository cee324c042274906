// Package chromium is a browser for tests: a headless Chromium that is driven
// by its own protocol (Chrome DevTools) over a pipe, so that no port is open.
//
//	page := chromium.Open(t).Page(t, "http://127.0.0.1:8330/")
//	page.Wait(t, "document.querySelector('h2') !== null")
//	page.Click(t, "button")
//
// Clicks and keys are those of a person: they go to what lies at a place of the
// window, not to an element.
package chromium
