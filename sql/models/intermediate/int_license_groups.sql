-- Grain: one row per user and SKU the user holds by one or more groups.
select tenant_id, user_id, sku_id, max(assigned_by_groups) as assigned_by_groups
from {{ ref('int_user_licenses') }}
where holds_seat and assigned_by <> 'direct' and assigned_by_groups is not null
group by 1, 2, 3
