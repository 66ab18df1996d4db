-- A candidate is a licence that the user holds.
select c.tenant_id, c.user_id, c.sku_id
from {{ ref('reclaim_candidates') }} as c
left join {{ ref('license_assignments') }} as a on a.tenant_id = c.tenant_id and a.user_id = c.user_id and a.sku_id = c.sku_id
where a.user_id is null
