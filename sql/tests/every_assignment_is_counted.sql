-- A licence that a user holds is in license_assignments, or its SKU is in excluded_licenses.
select distinct l.tenant_id, l.user_id, l.sku_id
from {{ ref('int_user_licenses') }} as l
left join {{ ref('license_assignments') }} as a on a.tenant_id = l.tenant_id and a.user_id = l.user_id and a.sku_id = l.sku_id
left join {{ ref('excluded_licenses') }} as e on e.tenant_id = l.tenant_id and e.sku_id = l.sku_id
where l.holds_seat and (a.sku_id is null) = (e.sku_id is null)
