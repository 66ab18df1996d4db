-- Persons of an inventory who lead to no user or to several: unknown names are mended in the inventory or the directory.
{{ config(severity='warn') }}
select tenant_id, product_family, reason, count(*) as devices
from {{ ref('hybrid_exceptions') }}
where reason in ('unresolved_user', 'ambiguous_user')
group by 1, 2, 3
