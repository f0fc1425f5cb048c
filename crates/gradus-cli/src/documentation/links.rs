use super::{all_right, page::Page, pages, root};

/// The targets of a page's links.
fn targets(page: &Page) -> Vec<String> {
    let pieces = page.prose.split("](").skip(1);
    let targets = pieces.filter_map(|piece| piece.split_once(')'));
    targets
        .map(|(target, _)| target.trim().to_owned())
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for page in pages().into_iter().chain([Page::read("CHANGELOG.md")]) {
        for target in targets(&page) {
            if target.contains("://") {
                continue;
            }
            checked += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = root().join(&page.name);
            let to = folder.parent().unwrap().join(path);
            if !path.is_empty() && !to.exists() {
                wrong.push(format!("{}: {target}: no such file", page.name));
                continue;
            }
            let there = match path {
                "" => page.anchors(),
                path if path.ends_with(".md") => {
                    let to = to.canonicalize().unwrap();
                    let base = root().canonicalize().unwrap();
                    Page::read(&to.strip_prefix(base).unwrap().to_string_lossy()).anchors()
                }
                _ => continue,
            };
            if !anchor.is_empty() && !there.contains(&anchor.to_owned()) {
                wrong.push(format!("{}: {target}: no such heading", page.name));
            }
        }
    }
    assert!(checked > 20, "only {checked} links");
    all_right(&wrong);
}
