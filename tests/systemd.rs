//! The service in a real systemd, booted with a temporary copy of this machine's files.

mod support;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use immuaudit::drill::{Embedded, Lie, LieSchedule, Options, fill};
use support::booted::Booted;
use support::loud::not_shown;

/// The watchdog of this test in seconds; the unit's watchdog is minutes, longer than the longest
/// call.
const WATCHDOG: u64 = 6;

fn a_hang_is_ended_by_the_watchdog_and_followed_by_a_restart(booted: &Booted) {
    // the program requests its longer watchdog when it is ready; this one is set after that
    let drop_in = format!(
        "mkdir -p /run/systemd/system/immuaudit.service.d && cat >/run/systemd/system/immuaudit.service.d/test.conf <<'END'
[Service]
WatchdogSec={WATCHDOG}
NotifyAccess=exec
RestartSec=1
ExecStartPost=/usr/bin/systemd-notify WATCHDOG_USEC={WATCHDOG}000000
END"
    );
    booted.does(&["sh", "-c", &drop_in]);
    booted.does(&["systemctl", "daemon-reload"]);
    booted.does(&["immuaudit", "audit-mode", "restart"]);
    let process = booted.shows("MainPID");
    // while it makes progress it is not restarted, however long it runs
    thread::sleep(Duration::from_secs(WATCHDOG + 2));
    assert_eq!(booted.shows("MainPID"), process);
    assert_eq!(booted.shows("NRestarts"), "0");

    booted.does(&["kill", "-STOP", &process]);
    let end = Instant::now() + Duration::from_secs(120);
    while booted.shows("NRestarts") != "1" || booted.shows("ActiveState") != "active" {
        let journal = booted.output(&["journalctl", "-u", "immuaudit"]);
        assert!(Instant::now() < end, "it still hangs: {journal:?}");
        thread::sleep(Duration::from_millis(200));
    }
    assert_ne!(booted.shows("MainPID"), process);
    let journal = booted.does(&["journalctl", "-u", "immuaudit"]);
    assert!(journal.contains("Watchdog timeout"), "{journal}");
}

/// The memory of the program counts towards the limit of the service.
fn a_program_that_takes_all_memory_is_killed_without_the_auditor(
    booted: &Booted,
    install: &[&str],
) {
    let exec = "--audit-exec=/usr/bin/tail /dev/zero";
    booted.does(&[install, &[exec, "--audit-notify=every-check"]].concat());
    booted.does(&["immuaudit", "audit-mode", "restart"]);
    let process = booted.shows("MainPID");
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let journal = booted.does(&["journalctl", "--no-pager", "-u", "immuaudit"]);
        if journal.contains("signal: 9 (SIGKILL)") {
            break;
        }
        assert!(Instant::now() < end, "nothing is killed: {journal}");
        thread::sleep(Duration::from_millis(200));
    }
    thread::sleep(Duration::from_secs(2));
    assert_eq!(booted.shows("MainPID"), process);
    assert_eq!(booted.shows("ActiveState"), "active");
}

/// Writes a file in the booted system.
fn write(booted: &Booted, path: &str, mode: &str, text: &str) {
    let folder = Path::new(path).parent().unwrap().display().to_string();
    let script =
        format!("mkdir -p {folder} && cat >{path} <<'THE-END'\n{text}THE-END\nchmod {mode} {path}");
    booted.does(&["sh", "-c", &script]);
}

/// Mailers such as postfix's are setgid, which has no effect in the sandbox of the service. The
/// units of deploy/mail run them outside, with separate memory.
fn a_setgid_mailer_outside_the_sandbox_sends_the_mail(
    booted: &Booted,
    embedded: &Embedded,
    install: &[&str],
) {
    let units = "/etc/systemd/system";
    for (path, mode, text) in [
        (
            format!("{units}/immuaudit-mail.path"),
            "644",
            include_str!("../deploy/mail/immuaudit-mail.path"),
        ),
        (
            format!("{units}/immuaudit-mail.service"),
            "644",
            include_str!("../deploy/mail/immuaudit-mail.service"),
        ),
        (
            format!("{units}/immuaudit.service.d/mail.conf"),
            "644",
            include_str!("../deploy/mail/immuaudit.service.d-mail.conf"),
        ),
        (
            "/usr/local/lib/immuaudit/mail-queue".to_owned(),
            "755",
            include_str!("../deploy/mail/mail-queue"),
        ),
        (
            "/usr/local/lib/immuaudit/mail-send".to_owned(),
            "755",
            include_str!("../deploy/mail/mail-send"),
        ),
        (
            "/usr/sbin/sendmail".to_owned(),
            "755",
            "#!/bin/sh\nexec /usr/local/bin/setgid-tee -a /var/spool/tested/mail\n",
        ),
    ] {
        write(booted, &path, mode, text);
    }
    // as for postdrop: a separate group, and only that group may write
    let mailer = "groupadd -f tested && cp /usr/bin/tee /usr/local/bin/setgid-tee && \
        chgrp tested /usr/local/bin/setgid-tee && chmod 2755 /usr/local/bin/setgid-tee && \
        mkdir -p /var/spool/tested && chgrp tested /var/spool/tested && chmod 1730 /var/spool/tested";
    booted.does(&["sh", "-c", mailer]);
    let verified = [
        "systemd-analyze",
        "verify",
        "immuaudit-mail.path",
        "immuaudit-mail.service",
    ];
    booted.does(&verified);
    booted.does(&["systemctl", "daemon-reload"]);
    booted.does(&["systemctl", "enable", "--now", "immuaudit-mail.path"]);
    let exec = "--audit-exec=/usr/local/lib/immuaudit/mail-queue";
    booted.does(&[install, &[exec, "--audit-notify=changes"]].concat());
    booted.does(&["immuaudit", "audit-mode", "restart"]);
    embedded.lie(LieSchedule::from(Lie::Rollback));
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let sent = booted.output(&["cat", "/var/spool/tested/mail"]).stdout;
        let sent = String::from_utf8_lossy(&sent).into_owned();
        if sent.contains("\"tampered\":true") {
            assert!(
                sent.starts_with("To: root\nSubject: immuaudit\n\n{"),
                "{sent}"
            );
            break;
        }
        let journal = || booted.output(&["journalctl", "--no-pager", "-n", "40"]);
        assert!(Instant::now() < end, "nothing is mailed: {:?}", journal());
        thread::sleep(Duration::from_millis(200));
    }
    booted.does(&["systemctl", "disable", "--now", "immuaudit-mail.path"]);
}

#[test]
fn the_service_is_installed_restarted_after_a_hang_and_purged() {
    let booted = match Booted::boot() {
        Ok(booted) => booted,
        Err(why) => {
            not_shown(&format!("the unit was not run in a real systemd: {why}"));
            return;
        }
    };
    let embedded = Embedded::start(Options::default()).unwrap();
    fill(&embedded, "defaultdb");
    let port = embedded.port().to_string();
    let install = [
        "immuaudit",
        "audit-mode",
        "install",
        "--immudb-port",
        &port,
        "--audit-interval=200ms",
        "--audit-password=immudb",
    ];

    let message = booted.does(&install);
    assert!(
        message.contains("run: useradd") && !message.contains("immudb-password"),
        "{message}"
    );
    assert_eq!(booted.shows("ActiveState"), "active");
    assert_eq!(booted.shows("User"), "immuaudit");
    assert_eq!(booted.shows("MemoryMax"), (64 << 20).to_string());
    let settings = "/etc/immudb/immuclient.toml";
    assert_eq!(
        booted.does(&["stat", "-c", "%a %U %G", settings]),
        "640 root immuaudit"
    );
    let states = ["stat", "-c", "%a %U", "/var/lib/immuaudit"];
    assert_eq!(booted.does(&states), "700 immuaudit");

    // it audits: the trusted state advances with the server
    embedded.grow("defaultdb", 3);
    let proven = |booted: &Booted| {
        let listed = booted.output(&["immuaudit", "states", "list", "--immudb-port", &port]);
        String::from_utf8_lossy(&listed.stdout).contains("(proven)")
    };
    let end = Instant::now() + Duration::from_secs(60);
    while !proven(&booted) {
        assert!(
            Instant::now() < end,
            "{}",
            booted.does(&["journalctl", "-u", "immuaudit"])
        );
        thread::sleep(Duration::from_millis(100));
    }

    // the journal has the priority of each line, and the text has no priority prefix
    let journal = |priority: &str| {
        let args = ["journalctl", "-u", "immuaudit", "-o", "cat", "-p", priority];
        booted.does(&args)
    };
    let informed = journal("info..info");
    assert!(informed.contains("auditing server="), "{informed}");
    assert!(!informed.contains("<6>"), "{informed}");
    assert!(journal("warning..warning").contains("default password"));

    // settings are read again without a restart
    let process = booted.shows("MainPID");
    booted.does(&["sh", "-c", &format!("echo 'audit-sample = 7' >>{settings}")]);
    booted.does(&["systemctl", "reload", "immuaudit"]);
    let end = Instant::now() + Duration::from_secs(60);
    while !journal("info..info").contains("the settings were read again and are in use") {
        assert!(Instant::now() < end, "{}", journal("debug"));
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(booted.shows("MainPID"), process);

    // installing it again is harmless and does not restart it
    booted.does(&install);
    assert_eq!(booted.shows("MainPID"), process);
    booted.does(&["immuaudit", "audit-mode", "status"]);
    booted.does(&["immuaudit", "audit-mode", "restart"]);
    assert_ne!(booted.shows("MainPID"), process);
    booted.does(&["immuaudit", "audit-mode", "stop"]);
    assert_eq!(
        (booted.shows("ActiveState"), booted.shows("Result")),
        ("inactive".into(), "success".into())
    );
    booted.does(&["immuaudit", "audit-mode", "start"]);
    assert_eq!(booted.shows("NRestarts"), "0");

    a_hang_is_ended_by_the_watchdog_and_followed_by_a_restart(&booted);

    a_program_that_takes_all_memory_is_killed_without_the_auditor(&booted, &install);
    a_setgid_mailer_outside_the_sandbox_sends_the_mail(&booted, &embedded, &install);

    booted.does(&["immuaudit", "audit-mode", "uninstall"]);
    assert!(
        !booted
            .output(&["systemctl", "is-active", "immuaudit.service"])
            .status
            .success()
    );
    booted.does(&["test", "!", "-e", "/etc/systemd/system/immuaudit.service"]);
    booted.does(&["test", "-e", settings]);
    booted.does(&["test", "-d", "/var/lib/immuaudit"]);
    booted.does(&["immuaudit", "audit-mode", "uninstall", "--purge"]);
    booted.does(&["test", "!", "-e", settings]);
    booted.does(&["test", "!", "-e", "/var/lib/immuaudit"]);
    booted.does(&["sh", "-c", "! getent passwd immuaudit"]);

    the_service_writes_where_its_settings_say(&booted, &install);
    files_of_others_are_neither_taken_over_nor_removed(&booted, &install);
}

/// systemd sorts the directories that it creates, and has its own rules for characters in names.
fn the_service_writes_where_its_settings_say(booted: &Booted, install: &[&str]) {
    for (elsewhere, directory, roots) in [
        (
            "--roots-filepath=/var/lib/a",
            "/var/lib/immuaudit",
            "/var/lib/a",
        ),
        (
            "--dir=/srv/a$b \"c\" 100%d",
            "/srv/a$b \"c\" 100%d",
            "/srv/a$b \"c\" 100%d",
        ),
    ] {
        booted.does(&[install, &[elsewhere]].concat());
        let script = "ls \"$0\"/*/outcomes \"$1\"/*/*.state";
        let end = Instant::now() + Duration::from_secs(60);
        while !booted
            .output(&["sh", "-c", script, directory, roots])
            .status
            .success()
        {
            assert!(
                Instant::now() < end,
                "{elsewhere}: it does not audit: {}",
                booted.does(&["journalctl", "--no-pager", "-u", "immuaudit"])
            );
            thread::sleep(Duration::from_millis(100));
        }
        booted.does(&["immuaudit", "audit-mode", "uninstall", "--purge"]);
        booted.does(&["test", "!", "-e", directory]);
    }
}

/// Runs a command in the booted system that is refused, and returns the message.
#[track_caller]
fn refused(booted: &Booted, args: &[&str]) -> String {
    let output = booted.output(args);
    assert_eq!(output.status.code(), Some(3), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn files_of_others_are_neither_taken_over_nor_removed(booted: &Booted, install: &[&str]) {
    let elsewhere = ["--dir=/srv/t/a", "--roots-filepath=/srv/t/a/roots"];
    let install_elsewhere = [install, &elsewhere].concat();
    let settings = "/etc/immudb/immuclient.toml";
    write(booted, settings, "644", "mtls = false\n");
    booted.does(&["groupadd", "--system", "immuaudit"]);

    // an existing directory
    let fault = refused(booted, &[install, &["--dir=/srv"]].concat());
    assert!(
        fault.contains("/srv exists, and immuaudit did not create it"),
        "{fault}"
    );
    booted.does(&["sh", "-c", "! getent passwd immuaudit"]);

    booted.does(&install_elsewhere);
    let owner = |path: &str| booted.does(&["stat", "-c", "%a %U %G", path]);
    assert_eq!(owner("/srv/t"), "755 root root");
    assert_eq!(owner("/srv/t/a/roots"), "700 immuaudit immuaudit");
    let end = Instant::now() + Duration::from_secs(60);
    while !booted
        .output(&["sh", "-c", "ls /srv/t/a/roots/*/*.state"])
        .status
        .success()
    {
        assert!(
            Instant::now() < end,
            "it does not audit: {}",
            booted.does(&["journalctl", "-u", "immuaudit"])
        );
        thread::sleep(Duration::from_millis(100));
    }

    // a link that the service's user put in the place of a directory
    let before = owner("/etc/cron.d");
    booted.does(&["systemctl", "stop", "immuaudit"]);
    booted.does(&[
        "sh",
        "-c",
        "cd /srv/t/a && mv roots kept && ln -s /etc/cron.d roots && chown -h immuaudit roots",
    ]);
    let fault = refused(booted, &install_elsewhere);
    assert!(
        fault.contains("/srv/t/a/roots is a symbolic link"),
        "{fault}"
    );
    assert_eq!(owner("/etc/cron.d"), before);
    booted.does(&["sh", "-c", "cd /srv/t/a && rm roots && mv kept roots"]);

    // a unit of a package, whose service uses these states
    booted.does(&[
        "sh",
        "-c",
        "cp /etc/systemd/system/immuaudit.service /usr/lib/systemd/system/",
    ]);
    let purge = ["immuaudit", "audit-mode", "uninstall", "--purge"];
    let fault = refused(booted, &purge);
    assert!(fault.contains("apt purge immuaudit"), "{fault}");
    booted.does(&["rm", "/usr/lib/systemd/system/immuaudit.service"]);

    // settings and a group that existed before, and a directory with another file
    booted.does(&["touch", "/srv/t/a/other"]);
    let message = booted.does(&purge);
    assert!(
        message.contains("was not made by audit-mode install and is kept"),
        "{message}"
    );
    booted.does(&["test", "-e", settings]);
    booted.does(&["test", "-e", "/srv/t/a/other"]);
    booted.does(&["test", "!", "-e", "/srv/t/a/roots"]);
    booted.does(&["sh", "-c", "! getent passwd immuaudit"]);

    // nothing is installed, so the existing files belong to others
    booted.does(&[
        "sh",
        "-c",
        "mkdir -p /var/lib/immuaudit/theirs && touch /var/lib/immuaudit/theirs/file",
    ]);
    booted.does(
        &[
            &purge[..],
            &[
                "--config=/etc/immudb/immuclient.toml",
                "--dir=/var/lib/immuaudit",
            ],
        ]
        .concat(),
    );
    booted.does(&["test", "-e", settings]);
    booted.does(&["test", "-e", "/var/lib/immuaudit/theirs/file"]);
}
