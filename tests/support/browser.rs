//! A headless Chromium, controlled by the DevTools protocol over a pipe: its rendering, its
//! accessibility tree and its console messages.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use immuaudit::ledger::decode_base64;

use super::json::{Leaf, leaves};
use super::temp_dir::TempDir;

/// One browser with one page; it ends with the test.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    count: u32,
    session: String,
    /// The messages of the console.
    complaints: Vec<String>,
    _profile: TempDir,
}

/// The color scheme of the page.
#[derive(Clone, Copy)]
pub enum Theme {
    Light,
    Dark,
}

/// A node of the accessibility tree.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub role: String,
    pub name: String,
}

impl Browser {
    pub fn start() -> Browser {
        let profile = TempDir::new();
        // the protocol uses descriptors 3 and 4
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .args(["chromium", "--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium starts");
        let mut browser = Browser {
            to: child.stdin.take().expect("its stdin"),
            from: BufReader::new(child.stdout.take().expect("its stdout")),
            child,
            count: 0,
            session: String::new(),
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", "{\"url\":\"about:blank\"}");
        let target = text(&target, "result.targetId");
        let attached = browser.call(
            "Target.attachToTarget",
            &format!("{{\"targetId\":\"{target}\",\"flatten\":true}}"),
        );
        browser.session = text(&attached, "result.sessionId");
        for domain in ["Page", "Runtime", "Log", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), "{}");
        }
        browser
    }

    /// Loads a page with this width, height and color scheme.
    pub fn load(&mut self, url: &str, (width, height): (u32, u32), theme: Theme) {
        let theme = match theme {
            Theme::Light => "light",
            Theme::Dark => "dark",
        };
        self.call(
            "Emulation.setEmulatedMedia",
            &format!(
                "{{\"features\":[{{\"name\":\"prefers-color-scheme\",\"value\":\"{theme}\"}}]}}"
            ),
        );
        self.call(
            "Emulation.setDeviceMetricsOverride",
            &format!(
                "{{\"width\":{width},\"height\":{height},\"deviceScaleFactor\":1,\"mobile\":false}}"
            ),
        );
        self.call("Page.navigate", &format!("{{\"url\":\"{url}\"}}"));
        while !self.read().contains("\"Page.loadEventFired\"") {}
    }

    /// Evaluates a script in the page and returns its result as text.
    pub fn evaluate(&mut self, script: &str) -> String {
        let script = script.replace('\\', "\\\\").replace('"', "\\\"");
        let script = script.replace('\n', " ");
        let answer = self.call(
            "Runtime.evaluate",
            &format!("{{\"expression\":\"{script}\",\"returnByValue\":true}}"),
        );
        text(&answer, "result.result.value")
    }

    /// Returns the nodes of the accessibility tree, as a screen reader gets them.
    pub fn accessible(&mut self) -> Vec<Node> {
        let tree = self.call("Accessibility.getFullAXTree", "{}");
        let mut nodes: Vec<Node> = Vec::new();
        for (path, leaf) in leaves(&tree) {
            let Leaf::Text(text) = leaf else { continue };
            let Some(rest) = path.strip_prefix("result.nodes.") else {
                continue;
            };
            let Some((number, member)) = rest.split_once('.') else {
                continue;
            };
            let number: usize = number.parse().expect("a number");
            nodes.resize(nodes.len().max(number + 1), Node::default());
            match member {
                "role.value" => nodes[number].role = text,
                "name.value" => nodes[number].name = text,
                _ => {}
            }
        }
        nodes
    }

    /// Returns the messages of the console so far.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Takes a screenshot, and copies it to the directory $SCREENSHOTS if that is set.
    pub fn shoot(&mut self, name: &str) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", "{\"format\":\"png\"}");
        let bytes = decode_base64(&text(&answer, "result.data")).expect("base64");
        if let Some(keep) = std::env::var_os("SCREENSHOTS") {
            fs::write(Path::new(&keep).join(format!("{name}.png")), &bytes).expect("a copy");
        }
        bytes
    }

    fn call(&mut self, method: &str, params: &str) -> String {
        self.count += 1;
        let session = match self.session.as_str() {
            "" => String::new(),
            session => format!(",\"sessionId\":\"{session}\""),
        };
        let id = self.count;
        let message =
            format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":{params}{session}}}\0");
        self.to.write_all(message.as_bytes()).expect("a pipe");
        loop {
            let message = self.read();
            if message.starts_with(&format!("{{\"id\":{id},")) {
                assert!(!message.contains("\"error\":{"), "{method}: {message}");
                return message;
            }
        }
    }

    fn read(&mut self) -> String {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).expect("a pipe");
        assert_eq!(bytes.pop(), Some(0), "the browser is gone");
        let message = String::from_utf8_lossy(&bytes).into_owned();
        for event in [
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
        ] {
            if message.contains(&format!("\"method\":\"{event}\"")) {
                self.complaints.push(message.clone());
            }
        }
        message
    }
}

#[track_caller]
fn text(answer: &str, path: &str) -> String {
    let found = leaves(answer).into_iter().find(|(at, _)| at == path);
    match found {
        Some((_, Leaf::Text(text))) => text,
        _ => panic!("no {path} in {answer}"),
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
