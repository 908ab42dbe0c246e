//! The files of deploy/kubernetes and deploy/helm describe the same objects. Their types are valid,
//! and the restricted Pod Security level accepts them. Other tests run the auditor in the
//! conditions of a pod.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::loud::{missing, not_shown};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options, fill};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join("deploy").join(name)).expect(name)
}

/// Returns a program of `tests/helm/build`, or `None` with a notice if it was not built.
fn built(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HELM_BIN_DIR").map(PathBuf::from);
    let path = folder
        .unwrap_or_else(|| root().join("target/helm"))
        .join(name);
    if !path.exists() {
        missing(&format!(
            "no {name} here (built by tests/helm/build, which needs Go)"
        ));
        return None;
    }
    Some(path)
}

/// Helm, and the program that validates objects.
struct Tools {
    helm: PathBuf,
    manifests: PathBuf,
}

impl Tools {
    fn find() -> Option<Tools> {
        Some(Tools {
            helm: built("helm")?,
            manifests: built("manifests")?,
        })
    }

    fn helm(&self, flags: &[&str]) -> Output {
        let home = TempDir::new();
        Command::new(&self.helm)
            .args([
                "template",
                "immuaudit",
                "deploy/helm",
                "--kube-version=1.34.0",
            ])
            .args(flags)
            .current_dir(root())
            .env_clear()
            .env("HOME", home.join("."))
            .output()
            .expect("helm runs")
    }

    /// Returns the objects that the chart renders with these values.
    #[track_caller]
    fn rendered(&self, flags: &[&str]) -> String {
        let output = self.helm(flags);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn check_types(&self, yaml: &str) -> Output {
        let mut child = Command::new(&self.manifests)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("manifests runs");
        let mut stdin = child.stdin.take().expect("its stdin");
        stdin.write_all(yaml.as_bytes()).expect("written");
        drop(stdin);
        child.wait_with_output().expect("its output")
    }

    /// Returns the valid objects in canonical form and sorted.
    #[track_caller]
    fn objects(&self, yaml: &str) -> Vec<String> {
        let output = self.check_types(yaml);
        assert!(output.status.success(), "{output:?}");
        // this annotation has a meaning only for Helm
        let keep = r#""annotations":{"helm.sh/resource-policy":"keep"},"#;
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(|line| line.replace(keep, "")).collect()
    }

    #[track_caller]
    fn refuses(&self, yaml: &str, why: &str) {
        let output = self.check_types(yaml);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(why),
            "{output:?}"
        );
    }
}

/// Returns files of deploy/kubernetes as one text.
fn kubernetes(names: &[&str]) -> String {
    let texts = names
        .iter()
        .map(|name| file(&format!("kubernetes/{name}.yaml")));
    texts.collect::<Vec<_>>().join("\n---\n")
}

const ALL: [&str; 3] = [
    "--set=podMonitor.enabled=true,scrapeAnnotations=true",
    "--set=prometheusRule.enabled=true",
    "--set=networkPolicy.enabled=true",
];

#[test]
fn the_chart_renders_the_objects_of_deploy_kubernetes() {
    let Some(tools) = Tools::find() else { return };
    let by_default = tools.objects(&tools.rendered(&[]));
    assert_eq!(
        by_default,
        tools.objects(&kubernetes(&["deployment", "service"]))
    );
    assert_eq!(by_default.len(), 3);

    let with_all = tools.objects(&tools.rendered(&ALL));
    for name in ["service", "podmonitor", "prometheusrule", "networkpolicy"] {
        for object in tools.objects(&kubernetes(&[name])) {
            assert!(
                with_all.contains(&object),
                "{name}: {object}\n{with_all:#?}"
            );
        }
    }
    assert_eq!(with_all.len(), 6);
    // there are two ways to be scraped, and only one is enabled
    let annotated =
        |objects: &[String]| objects.iter().any(|of| of.contains("prometheus.io/scrape"));
    assert!(annotated(&by_default) && !annotated(&with_all));
}

#[test]
fn every_object_has_a_valid_type_and_the_restricted_level() {
    let Some(tools) = Tools::find() else { return };
    let folder = fs::read_dir(root().join("deploy/kubernetes")).expect("a folder");
    let paths: BTreeSet<PathBuf> = folder
        .map(|entry| entry.expect("an entry").path())
        .collect();
    for path in &paths {
        let text = fs::read_to_string(path).expect("text");
        assert!(!tools.objects(&text).is_empty(), "{}", path.display());
    }
    assert_eq!(paths.len(), 6);
    let deployment = file("kubernetes/deployment.yaml");
    for (right, wrong, why) in [
        ("replicas: 1", "replica: 1", "unknown field"),
        ("replicas: 1", "replicas: one", "replicas"),
        ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
        (
            "capabilities: {drop: [ALL]}",
            "capabilities: {}",
            "capabilities",
        ),
        (
            "allowPrivilegeEscalation: false",
            "allowPrivilegeEscalation: true",
            "allowPrivilegeEscalation",
        ),
    ] {
        assert!(deployment.contains(right));
        tools.refuses(&deployment.replace(right, wrong), why);
    }
    tools.refuses("apiVersion: v1\nkind: Pot\n", "no kind \"Pot\"");
}

#[test]
fn each_server_gets_its_own_objects() {
    let Some(tools) = Tools::find() else { return };
    let folder = TempDir::new();
    let values = folder.join("values.yaml");
    let text = "\
servers:
  - {name: shop, label: shop}
  - name: bank
    address: fd00::1
    port: 3323
    username: someone
    passwordSecret: bank
    passwordKey: word
    caConfigMap: bank-ca
    caKey: bank.pem
    memory: 288Mi
    storage: 2Gi
    storageClass: fast
    settings: {audit-interval: 1m, max-recv-msg-size: \"33554432\", log-format: text}
image: {pullSecrets: [registry], pullPolicy: Always, tag: other}
nodeSelector: {disk: fast}
tolerations: [{key: a, operator: Exists}]
affinity: {}
";
    fs::write(&values, text).unwrap();
    let values = values.display().to_string();
    let rendered = tools.rendered(&[&["--values", &values], &ALL[..]].concat());
    let objects = tools.objects(&rendered);
    // a claim, a Deployment, a Service and a NetworkPolicy for each server; one PodMonitor and one
    // PrometheusRule for all
    assert_eq!(objects.len(), 10);
    let of = |kind: &str, name: &str| {
        let kind = format!("\"kind\":\"{kind}\"");
        let name = format!("\"name\":\"{name}\"}},\"spec\"");
        let of = |line: &&String| line.contains(&kind) && line.contains(&name);
        objects
            .iter()
            .find(of)
            .unwrap_or_else(|| panic!("{kind} {name}: {objects:#?}"))
    };
    let bank = of("Deployment", "bank");
    for part in [
        r#"{"name":"IMMUAUDIT_IMMUDB_ADDRESS","value":"fd00::1"}"#,
        r#"{"name":"IMMUAUDIT_IMMUDB_PORT","value":"3323"}"#,
        r#"{"name":"IMMUAUDIT_AUDIT_PASSWORD_FILE","value":"/run/secrets/immuaudit/word"}"#,
        r#"{"name":"IMMUAUDIT_TLS_CA","value":"/run/ca/bank.pem"}"#,
        r#"{"name":"IMMUAUDIT_AUDIT_INTERVAL","value":"1m"}"#,
        r#"{"name":"IMMUAUDIT_MAX_RECV_MSG_SIZE","value":"33554432"}"#,
        r#"{"name":"IMMUAUDIT_LOG_FORMAT","value":"text"}"#,
        r#""limits":{"memory":"288Mi"}"#,
        r#""secretName":"bank""#,
        r#""claimName":"bank""#,
        r#""image":"immuaudit:other""#,
    ] {
        assert!(bank.contains(part), "{part}: {bank}");
    }
    assert_eq!(bank.matches("IMMUAUDIT_LOG_FORMAT").count(), 1);
    assert!(of("PersistentVolumeClaim", "bank").contains(r#""storage":"2Gi""#));
    assert!(of("NetworkPolicy", "bank").contains(r#""port":3323"#));
    // no Service or policy of one server selects the pods of another
    for kind in ["Deployment", "Service", "NetworkPolicy"] {
        let shop = of(kind, "shop");
        assert!(
            shop.contains(r#""app.kubernetes.io/instance":"shop""#) && !shop.contains("bank"),
            "{shop}"
        );
    }
    assert!(of("PodMonitor", "immuaudit").contains(r#""values":["shop","bank"]"#));
}

#[test]
fn invalid_values_of_the_chart_are_refused() {
    let Some(tools) = Tools::find() else { return };
    for (values, why) in [
        ("servers[0].name=a,servers[0].prot=1", "prot"),
        ("servers[0].name=a,servers[0].port=0", "port"),
        ("servers[0].name=a,servers[0].port=text", "port"),
        ("servers[0].name=A", "name"),
        ("servers[0].name=a/b", "name"),
        ("servers[0].port=3322", "name"),
        ("servers[0].name=a,servers[0].memory=64", "memory"),
        (
            "servers[0].name=a,servers[0].settings.dir=/x",
            "invalid propertyName 'dir'",
        ),
        (
            "servers[0].name=a,servers[0].settings.immudb_port=1",
            "invalid propertyName",
        ),
        ("servers=null", "servers"),
        ("userId=0", "userId"),
        ("podMonitor.enable=true", "enable"),
        ("server.name=a", "server"),
        (
            "servers[0].name=a,servers[0].port=1,servers[1].name=a",
            "two servers have the name a",
        ),
    ] {
        let output = tools.helm(&["--set", values]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(why),
            "{values}: {output:?}"
        );
    }
}

/// After a change of the rules, `DRAW=1 cargo test --release --test host the_rules` writes the
/// object.
#[test]
fn the_rules_for_the_operator_are_those_for_prometheus() {
    let rules = file("prometheus/immuaudit.rules.yml");
    let rules: String = rules
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("  {line}\n"))
        .collect();
    let object = file("kubernetes/prometheusrule.yaml");
    let (head, spec) = object.split_once("\nspec:\n").expect("a spec");
    if std::env::var_os("DRAW").is_some() {
        let path = root().join("deploy/kubernetes/prometheusrule.yaml");
        fs::write(path, format!("{head}\nspec:\n{rules}")).expect("written");
        return;
    }
    assert!(
        spec == rules,
        "deploy/kubernetes/prometheusrule.yaml has other rules than deploy/prometheus/immuaudit.rules.yml. To write it \
         again: DRAW=1 cargo test --release --test host the_rules"
    );
}

#[test]
fn chart_and_manifests_have_this_version_and_existing_settings() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = file("helm/Chart.yaml");
    assert!(
        chart.contains(&format!("\nversion: {version}\n")),
        "{chart}"
    );
    assert!(
        chart.contains(&format!("\nappVersion: \"{version}\"\n")),
        "{chart}"
    );
    let mut text = file("helm/templates/auditor.yaml");
    for name in ["deployment", "cronjob"] {
        let manifest = file(&format!("kubernetes/{name}.yaml"));
        assert!(
            manifest.contains(&format!("image: immuaudit:{version}\n")),
            "{name}"
        );
        text.push_str(&manifest);
    }
    let help = Command::new(env!("CARGO_BIN_EXE_immuaudit"))
        .args(["--help", "--all"])
        .output()
        .expect("it runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let names = text.split("IMMUAUDIT_").skip(1);
    let names = names.map(|rest| {
        rest.split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .next()
    });
    let names: BTreeSet<String> = names
        .flatten()
        .filter(|name| !name.is_empty())
        .map(|name| format!("--{} ", name.to_lowercase().replace('_', "-")))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(help.contains(&name), "{name}");
    }
}

/// The kubelet prepares a volume with `fsGroup: 10001` in this way: it belongs to root, and the
/// group has all rights. The same applies to the files of an earlier pod.
#[test]
fn the_permissions_of_a_kubelet_volume_cause_no_warning() {
    let ledger = Embedded::start(Options::default()).expect("a ledger");
    fill(&ledger, "defaultdb");
    let folder = TempDir::new();
    let volume = folder.join("volume");
    fs::create_dir(&volume).unwrap();
    let outer = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("."), outer).unwrap();
    // every user may read it
    let program = folder.join("immuaudit");
    fs::copy(env!("CARGO_BIN_EXE_immuaudit"), &program).unwrap();
    let path = volume.display().to_string();
    let given = Command::new("chown")
        .args(["0:10001", &path])
        .output()
        .unwrap();
    if !given.status.success() {
        return not_shown("a volume of Kubernetes: only root can prepare one");
    }
    let kubelet = || {
        let script = format!(
            "chmod 2775 {path}; find {path}/* -exec chgrp 10001 {{}} + -exec chmod g+rw {{}} + ; find {path}/* -type d -exec chmod 2770 {{}} +"
        );
        Command::new("sh").args(["-c", &script]).output().unwrap();
    };
    kubelet();
    let run = |in_a_pod: bool| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=10001", "--regid=10001", "--clear-groups"])
            .arg(&program)
            .args(["--once", "--dir", &path, "--immudb-port"])
            .arg(ledger.port().to_string())
            .current_dir("/")
            .env_clear();
        if in_a_pod {
            command.env("KUBERNETES_SERVICE_HOST", "10.96.0.1");
        }
        let output = command.output().expect("setpriv runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let loose = |stderr: &str| {
        stderr.contains("is accessible to other users") || stderr.contains("belongs to user")
    };
    run(true);
    kubelet();
    let stderr = run(true);
    assert!(!loose(&stderr), "{stderr}");
    // outside a pod these rights cause a warning, and rights for all users cause one in a pod too
    let stderr = run(false);
    assert!(loose(&stderr), "{stderr}");
    let open = format!("chmod o+rw $(find {path} -name '*.state')");
    Command::new("sh").args(["-c", &open]).output().unwrap();
    let stderr = run(true);
    assert!(stderr.contains("is accessible to other users"), "{stderr}");
}

/// In a pod of an IPv6-only cluster, loopback has no IPv4 address.
#[test]
fn the_probes_work_without_ipv4() {
    let folder = TempDir::new();
    let script = r#"
        ip link set lo up && ip -4 address flush dev lo || exit 77
        "$0" --immudb-port 1 --dir "$1" --audit-interval 1h 2>"$2" &
        auditor=$!
        end=$(($(date +%s) + 60))
        until "$0" health || [ "$(date +%s)" -gt "$end" ]; do sleep 0.2; done
        "$0" health
        code=$?
        kill $auditor
        exit $code
    "#;
    let output = Command::new("unshare")
        .args(["--net", "--map-root-user", "sh", "-c", script])
        .arg(env!("CARGO_BIN_EXE_immuaudit"))
        .args([folder.join("states"), folder.join("log")])
        .env("HOME", folder.join("."))
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) if output.status.code() == Some(1) => {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(log.is_empty(), "{output:?}\n{log}");
            not_shown(&format!(
                "no network without IPv4 could be created: {output:?}"
            ));
        }
        other => not_shown(&format!(
            "no network without IPv4 could be created: {other:?}"
        )),
    }
}
