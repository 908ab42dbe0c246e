//! Volumes of Kubernetes: the owners and modes that the kubelet sets, and that no process in a pod can change.

/// The variable that the kubelet sets in every container.
const MARK: &str = "KUBERNETES_SERVICE_HOST";

/// Rights of a mode that the group has.
const GROUP: u32 = 0o070;
/// Rights of a mode that users other than the owner have.
const OTHERS: u32 = 0o077;

/// Returns whether this runs in a pod.
pub fn is_in_pod() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Returns the rights of a mode that the kubelet sets, in a pod. With `fsGroup` it gives the group of the pod
/// every right on every file of a volume; the volume's own directory stays root's, and no process of the pod may
/// change it.
pub fn rights_by_kubelet(owner: u32, group: u32, pods_group: u32) -> u32 {
    match (owner, group == pods_group) {
        (0, true) => OTHERS,
        (_, true) => GROUP,
        (_, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_of_the_pods_group_are_the_kubelets_and_no_others() {
        assert_eq!(rights_by_kubelet(0, 10001, 10001), 0o077);
        assert_eq!(rights_by_kubelet(10001, 10001, 10001), 0o070);
        // the pod's settings can leave out any other group
        assert_eq!(rights_by_kubelet(10001, 5, 10001), 0);
        assert_eq!(rights_by_kubelet(0, 0, 10001), 0);
    }
}
