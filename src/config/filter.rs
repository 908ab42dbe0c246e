//! The selection of databases to audit.

/// Names or prefixes of databases, as in immuclient's `--audit-databases`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseFilter(Vec<String>);

impl DatabaseFilter {
    /// Creates a filter of names and prefixes. Without names, it selects every database.
    pub fn new(names: Vec<String>) -> DatabaseFilter {
        DatabaseFilter(names)
    }

    /// Returns the names and prefixes as they were given.
    pub fn entries(&self) -> &[String] {
        &self.0
    }

    /// Returns whether this database is audited.
    pub fn selects(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|entry| name.starts_with(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_selected_by_its_name_and_by_a_prefix() {
        let filter = DatabaseFilter::new(vec!["shop".to_owned(), "bank_eu".to_owned()]);
        for (name, selected) in [
            ("shop", true),
            ("shop2", true),
            ("bank_eu", true),
            ("bank_us", false),
            ("bank", false),
            ("workshop", false),
        ] {
            assert_eq!(filter.selects(name), selected, "{name}");
        }
    }

    #[test]
    fn no_filter_selects_every_database() {
        assert!(DatabaseFilter::default().selects("defaultdb"));
    }
}
