-- The licences that are assigned are those whose spans in the history have not ended.
select a.tenant_id, a.sku_id as of_what, a.licenses as one_sum, coalesce(h.licenses, 0) as other_sum, cast(null as varchar) as people
from (
  select tenant_id, sku_id, count(*) as licenses
  from {{ ref('license_assignments') }}
  group by 1, 2
) as a
join {{ ref('coverage') }} as c on c.tenant_id = a.tenant_id and c.table_name = 'graph_user_licenses' and c.is_current
left join (
  select tenant_id, sku_id, count(*) as licenses
  from {{ ref('user_license_history') }}
  where to_date is null
  group by 1, 2
) as h on h.tenant_id = a.tenant_id and h.sku_id = a.sku_id
